// One attack for ever, by its argument: all of them take what the container may have, and more. Or the
// victim, which is its peer and must not notice: `victim N` does N rounds of what programs do, and a
// checked computation; it prints what went wrong, or the result. Never run outside a container.
#include "../../../userland/lib/marker.h"
#include "../check.h"

enum {
    PAGE = 4096,
    TABLE_BYTES = 2 << 20, // what one page table maps
    ROUND_COMPUTATIONS = 40000,
    SYS_rmdir = 84,
    SYS_ftruncate = 77,
    SYS_msync = 26,
    SYS_sync = 162,
    SYS_timer_create = 222,
    SYS_timer_settime = 223,
    SYS_fsync = 74,
};

// ---- attacks ----

static void spin(void) {
    for (;;)
        __asm__ volatile("");
}

static void yields(void) {
    for (;;)
        SYS(SYS_sched_yield);
}

static void exits(void) {
    for (;;) {
        long pid = SYS(SYS_fork);
        if (pid == 0) linux_exit(0);
        SYS(SYS_wait4, pid, 0, 0, 0);
    }
}

// As many as it may have, each at full speed, and they go on trying.
static void forks(void) {
    for (;;)
        SYS(SYS_fork);
}

static void descriptors(void) {
    for (;;) {
        while (SYS(SYS_open, "/dev/zero", 0) >= 0) {
        }
        for (int i = 3; i < 1024; i++)
            SYS(SYS_close, i);
    }
}

static void memory(void) {
    for (;;) {
        long address = SYS(SYS_mmap, 0, 64 * PAGE, 3, 0x22, -1, 0);
        for (long at = 0; address > 0 && at < 64 * PAGE; at += PAGE)
            *(volatile char *)(address + at) = 1;
    }
}

// A page of each page table, so that a byte costs two pages.
static void sparse(void) {
    for (;;) {
        long address = SYS(SYS_mmap, 0, 64L * TABLE_BYTES, 3, 0x4022, -1, 0);
        for (long at = 0; address > 0 && at < 64L * TABLE_BYTES; at += TABLE_BYTES)
            *(volatile char *)(address + at) = 1;
    }
}

// Timers that all go off at once, a thousand times a second.
static void timers(void) {
    struct sigevent {
        long value;
        int signal, notify;
        long padding[6];
    } event = {0, SIGUSR1, 0, {}};
    long times[4] = {0, 1000000, 0, 1000000};
    int timer;
    handle(SIGUSR1, (void *)1, 0); // ignored
    while (SYS(SYS_timer_create, 1, &event, &timer) == 0)
        SYS(SYS_timer_settime, timer, 0, times, 0);
    for (;;)
        SYS(SYS_pause);
}

// Many wait for one word, and all are woken to wait again.
static void futexes(void) {
    volatile u32 *word = (volatile u32 *)SYS(SYS_mmap, 0, PAGE, 3, 0x21, -1, 0);
    for (int i = 0; i < 100; i++) {
        if (SYS(SYS_fork) != 0) continue;
        for (;;)
            SYS(SYS_futex, word, 0, *word, 0, 0, 0);
    }
    for (;;) {
        ++*word;
        SYS(SYS_futex, word, 1, 1000, 0, 0, 0);
        SYS(SYS_sched_yield);
    }
}

static void ptys(void) {
    for (;;) {
        int first = 1000, last = 0;
        long fd;
        while ((fd = SYS(SYS_open, "/dev/ptmx", 2)) >= 0) {
            first = fd < first ? (int)fd : first;
            last = (int)fd;
        }
        for (int i = first; i <= last; i++)
            SYS(SYS_close, i);
    }
}

static char *name_of(char *name, u64 number) {
    for (int i = 0; i < 6; i++, number /= 10)
        name[8 - i] = (char)('0' + number % 10);
    return name;
}

// Directories in one directory, until there is no room for more; then they go.
static void inodes(void) {
    static char name[] = "/tmp/i000000";
    for (u64 count = 0;;) {
        if (SYS(SYS_mkdir, name_of(name + 3, count), 0755) == 0 && count < 30000) {
            count++;
            continue;
        }
        while (count > 0)
            SYS(SYS_rmdir, name_of(name + 3, --count));
    }
}

// Writes a file, by calls and through a mapping, flushes and cuts it.
static void dirt_at(const char *path) {
    static char bytes[16 * PAGE];
    long fd = SYS(SYS_open, path, O_RDWR | O_CREAT, 0644);
    long mapped = SYS(SYS_mmap, 0, sizeof(bytes), 3, 1, fd, 0);
    for (;;) {
        for (int i = 0; i < 64; i++)
            SYS(SYS_write, fd, bytes, sizeof(bytes));
        for (long at = 0; mapped > 0 && at < (long)sizeof(bytes); at += PAGE)
            *(volatile char *)(mapped + at) = 1;
        SYS(SYS_msync, mapped, sizeof(bytes), 4);
        SYS(SYS_fsync, fd);
        SYS(SYS_sync);
        SYS(SYS_ftruncate, fd, 0);
        SYS(SYS_lseek, fd, 0, 0);
    }
}

static void dirt(void) { dirt_at("/tmp/dirt"); }

static void randomness(void) {
    static char bytes[64 * PAGE];
    for (;;)
        SYS(SYS_getrandom, bytes, sizeof(bytes), 0);
}

static void logs(void) {
    static char line[PAGE];
    for (int i = 0; i < PAGE; i++)
        line[i] = i % 80 == 79 ? '\n' : 'x';
    for (;;)
        SYS(SYS_write, 1, line, sizeof(line));
}

// ---- the victim ----

static void file_round(void) {
    char byte = 'x';
    long fd = SYS(SYS_open, "/tmp/victim", O_RDWR | O_CREAT, 0644);
    IS(fd >= 0, true);
    IS(SYS(SYS_write, fd, &byte, 1), 1);
    IS(SYS(SYS_lseek, fd, 0, 0), 0);
    IS(SYS(SYS_read, fd, &byte, 1), 1);
    IS(byte, 'x');
    IS(SYS(SYS_close, fd), 0);
    IS(SYS(SYS_unlink, "/tmp/victim"), 0);
}

static void process_round(void) {
    int ends[2];
    char byte = 'p';
    IS(SYS(SYS_pipe, ends), 0);
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(SYS(SYS_write, ends[1], &byte, 1) == 1 ? 7 : 1);
    IS(SYS(SYS_read, ends[0], &byte, 1), 1);
    IS(wait_status(pid), 7 << 8);
    SYS(SYS_close, ends[0]);
    SYS(SYS_close, ends[1]);
}

static void memory_round(void) {
    long address = SYS(SYS_mmap, 0, 8 * PAGE, 3, 0x22, -1, 0);
    IS(address > 0, true);
    for (long at = 0; at < 8 * PAGE; at += PAGE)
        *(volatile char *)(address + at) = 1;
    IS(SYS(SYS_munmap, address, 8 * PAGE), 0);
    char bytes[16];
    IS(SYS(SYS_getrandom, bytes, sizeof(bytes), 0), sizeof(bytes));
}

static u64 number_of(const char *text) {
    u64 number = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (u64)(*text - '0');
    return number;
}

static int victim(u64 rounds) {
    u64 state = 88172645463325252;
    MARK(MARKER_VICTIM_BEGIN);
    for (; rounds > 0; rounds--) {
        file_round();
        process_round();
        memory_round();
        for (u32 i = 0; i < ROUND_COMPUTATIONS; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
    }
    MARK(MARKER_VICTIM_END);
    print("computed ");
    print_number((long)(state >> 1));
    print("\n");
    return failures != 0;
}

// ---- the victim of a storm (tests/services/storm.c) ----

// In windows of a length, in turns, the other only spins and storms. What is measured begins after the
// other has had the time to change, and ends before it does so again.
enum : u64 { SETTLE_NS = 5000000, NS_PER_MS = 1000000 };
// As in the other victim, about half of a step is computing.
enum { STEP_COMPUTATIONS = 6000, STEPS_FORK = 16 };

static u64 time_ns(void) {
    struct timespec now;
    SYS(SYS_clock_gettime, 0, &now);
    return (u64)now.seconds * 1000000000 + (u64)now.nanoseconds;
}

static void step(u64 number) {
    volatile u64 state = 1;
    file_round();
    memory_round();
    if (number % STEPS_FORK == 0) process_round();
    for (u32 i = 0; i < STEP_COMPUTATIONS; i++)
        state = state * 3 + i;
    MARK(MARKER_PACE_STEP);
}

// Steps until this window is nearly over; false when it was so already.
static bool window_measure(u64 length_ns, u64 *number) {
    u64 begin_ns = time_ns(), window = begin_ns / length_ns;
    u64 end_ns = (window + 1) * length_ns - SETTLE_NS;
    if (begin_ns % length_ns < SETTLE_NS || begin_ns >= end_ns) return false;
    if (window % 2 == 0)
        MARK(MARKER_PACE_SPIN_BEGIN);
    else
        MARK(MARKER_PACE_STORM_BEGIN);
    while (time_ns() < end_ns)
        step((*number)++);
    if (window % 2 == 0)
        MARK(MARKER_PACE_SPIN_END);
    else
        MARK(MARKER_PACE_STORM_END);
    return true;
}

static int pace(u64 windows, u64 length_ns) {
    for (u64 number = 0; windows > 0;)
        if (window_measure(length_ns, &number)) windows--;
    return failures != 0;
}

static const struct {
    const char *name;
    void (*run)(void);
} attacks[] = {
    {"spin", spin},     {"yields", yields},           {"exits", exits},     {"forks", forks},
    {"memory", memory}, {"descriptors", descriptors}, {"sparse", sparse},   {"timers", timers},
    {"ptys", ptys},     {"inodes", inodes},           {"futexes", futexes}, {"dirt", dirt},
    {"logs", logs},     {"randomness", randomness},
};

static int program(long argc, char **argv) {
    if (argc == 3 && text_equal(argv[1], "victim")) return victim(number_of(argv[2]));
    if (argc == 4 && text_equal(argv[1], "pace"))
        return pace(number_of(argv[2]), number_of(argv[3]) * NS_PER_MS);
    if (argc == 3 && text_equal(argv[1], "dirt")) dirt_at(argv[2]);
    for (u32 i = 0; argc == 2 && i < sizeof(attacks) / sizeof(attacks[0]); i++)
        if (text_equal(argv[1], attacks[i].name)) attacks[i].run();
    return 2;
}

LINUX_PROGRAM(program)
