// Random system calls with random arguments. Never run outside a container: it removes and changes
// whatever it can. Whatever happens to it, the personality must live: the first process prints that
// it came to the end.
#include "../check.h"

enum { CHILDREN = 40, CALLS = 1500, NUMBERS = 460, PATIENCE = 100 };

static u64 state;
static u8 buffer[65536];

static u64 random_word(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static u64 random_argument(void) {
    static const u64 odd[] = {0,
                              1,
                              2,
                              8,
                              4095,
                              4096,
                              0x7fffffff,
                              0x80000000,
                              0xffffffff,
                              0x7f8000400000,
                              0x7f8000480000,
                              0x7f8000500000,
                              0x7f7ffffff000,
                              0x7ffffffff000,
                              0x7fffffffffff,
                              0x800000000000,
                              0xffff800000000000,
                              0xffffffff80000000,
                              (u64)-1,
                              (u64)-100,
                              1ul << 62,
                              1ul << 63};
    u64 word = random_word();
    switch (word >> 60) {
    case 0:
    case 1:
    case 2: return odd[(word >> 8) % (sizeof(odd) / sizeof(odd[0]))];
    case 3:
    case 4:
    case 5:
    case 6: return word >> 8 & 31;
    case 7: return word >> 8 & 0xffff;
    case 8: return 1ul << (word >> 8 & 63);
    case 9: return word;
    default: return (u64)buffer + (word >> 8 & (sizeof(buffer) - 1) & ~((word >> 30 & 1) * 7));
    }
}

static void buffer_fill(void) {
    static const char *const texts[] = {
        "/",          "..",         "/proc/self/exe",  "/tmp/a",
        "/tmp/b/",    "/dev/null",  "/proc/self/fd/3", "a/../b//c/.",
        "#!/tmp/a\n", "/etc/passwd"};
    for (int i = 0; i < 64; i++) {
        u64 at = random_word() % (sizeof(buffer) - 64);
        const char *text = texts[random_word() % 10];
        memcpy(buffer + at, text, text_length(text) + 1);
        u64 word = random_argument();
        memcpy(buffer + (random_word() % (sizeof(buffer) - 8)), &word, 8);
    }
}

// Those that end the program, or would make more of it.
static bool is_left_out(u64 number) {
    return number == SYS_exit || number == SYS_exit_group || number == 56 || number == SYS_fork ||
           number == SYS_vfork || number == 435;
}

static int child(u64 seed) {
    state = seed;
    // What it writes is not to be seen.
    for (int fd = 0; fd < 3; fd++)
        SYS(SYS_close, fd);
    for (int i = 0; i < CALLS; i++) {
        u64 number = random_word() % NUMBERS;
        if (i % 50 == 0) buffer_fill();
        if (is_left_out(number)) continue;
        u64 a = random_argument(), b = random_argument(), c = random_argument();
        u64 d = random_argument(), e = random_argument(), f = random_argument();
        if (number == SYS_kill && ((int)a <= 1)) continue;
        SYS(number, a, b, c, d, e, f);
    }
    return 0;
}

static void child_wait(long pid) {
    struct timespec moment = {0, 5000000};
    for (int i = 0; i < PATIENCE; i++) {
        if (SYS(SYS_wait4, pid, 0, WNOHANG, 0) != 0) return;
        SYS(SYS_nanosleep, &moment, 0);
    }
    SYS(SYS_kill, pid, SIGKILL);
    SYS(SYS_wait4, pid, 0, 0, 0);
}

static int program(long argc, char **argv) {
    u64 seed = 0;
    for (const char *digit = argc > 1 ? argv[1] : "1"; *digit; digit++)
        seed = seed * 10 + (u64)(*digit - '0');
    for (int i = 0; i < CHILDREN; i++) {
        long pid = SYS(SYS_fork);
        if (pid == 0) linux_exit(child((seed * 1000 + (u64)i + 1) * 0x9e3779b97f4a7c15));
        child_wait(pid);
    }
    print("random_calls: ok\n");
    return 0;
}

LINUX_PROGRAM(program)
