// The vDSO: what Linux programs ask for the time without a system call. A shared object of one page,
// mapped into every process; the personality writes how to read the time-stamp counter into it
// before it is mapped, after which it is constant. It knows nothing but that page.
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

// Also known to userland/linux/vdso.c. ns = (tsc - base) * ns_per_tsc >> 32; 0: ask the system.
struct vdso_clock {
    u64 tsc_base;
    u64 ns_per_tsc;
    u64 wall_ns; // real time at monotonic 0
};

struct timespec {
    i64 seconds;
    i64 nanoseconds;
};

struct timeval {
    i64 seconds;
    i64 microseconds;
};

enum { CALL_CLOCK_GETTIME = 228, CALL_CLOCK_GETRES = 229, CALL_GETTIMEOFDAY = 96, CALL_TIME = 201 };
enum {
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_REALTIME_COARSE = 5,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    CLOCK_TAI = 11,
};
enum : u64 { SECOND_NS = 1000000000 };

[[gnu::section(".clock"), gnu::visibility("hidden"),
  gnu::used]] const volatile struct vdso_clock vdso_clock;

static i64 ask(i64 number, u64 a, u64 b) {
    i64 result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b)
                     : "rcx", "r11", "memory");
    return result;
}

static bool knows_time(void) { return vdso_clock.ns_per_tsc != 0; }

static u64 monotonic_ns(void) {
    u32 low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    u64 ticks = ((u64)high << 32 | low) - vdso_clock.tsc_base;
    return (u64)((unsigned __int128)ticks * vdso_clock.ns_per_tsc >> 32);
}

static u64 realtime_ns(void) { return monotonic_ns() + vdso_clock.wall_ns; }

int __vdso_clock_gettime(int clock, struct timespec *out);
int __vdso_clock_gettime(int clock, struct timespec *out) {
    u64 now_ns;
    switch (knows_time() ? clock : -1) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI: now_ns = realtime_ns(); break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: now_ns = monotonic_ns(); break;
    default: return (int)ask(CALL_CLOCK_GETTIME, (u64)(i64)clock, (u64)out);
    }
    out->seconds = (i64)(now_ns / SECOND_NS);
    out->nanoseconds = (i64)(now_ns % SECOND_NS);
    return 0;
}

int __vdso_clock_getres(int clock, struct timespec *out);
int __vdso_clock_getres(int clock, struct timespec *out) {
    return (int)ask(CALL_CLOCK_GETRES, (u64)(i64)clock, (u64)out);
}

int __vdso_gettimeofday(struct timeval *out, int zone[2]);
int __vdso_gettimeofday(struct timeval *out, int zone[2]) {
    if (!knows_time()) return (int)ask(CALL_GETTIMEOFDAY, (u64)out, (u64)zone);
    u64 now_ns = realtime_ns();
    if (out) {
        out->seconds = (i64)(now_ns / SECOND_NS);
        out->microseconds = (i64)(now_ns % SECOND_NS / 1000);
    }
    if (zone) zone[0] = zone[1] = 0;
    return 0;
}

i64 __vdso_time(i64 *out);
i64 __vdso_time(i64 *out) {
    if (!knows_time()) return ask(CALL_TIME, (u64)out, 0);
    i64 seconds = (i64)(realtime_ns() / SECOND_NS);
    if (out) *out = seconds;
    return seconds;
}

// One processor is all that programs are told of.
int __vdso_getcpu(u32 *cpu, u32 *node);
int __vdso_getcpu(u32 *cpu, u32 *node) {
    if (cpu) *cpu = 0;
    if (node) *node = 0;
    return 0;
}
