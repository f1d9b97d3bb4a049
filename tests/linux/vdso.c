// The vDSO, found as C libraries find it: by the auxiliary vector, then by name in its symbols.
#include "check.h"

enum { SYS_time = 201, SYS_gettimeofday = 96, AT_SYSINFO_EHDR = 33 };
enum {
    PT_LOAD = 1,
    PT_DYNAMIC = 2,
    DT_HASH = 4,
    DT_STRTAB = 5,
    DT_SYMTAB = 6,
    DT_GNU_HASH = 0x6ffffef5
};

struct elf_header {
    u8 ident[16];
    unsigned short type, machine;
    u32 version;
    u64 entry, headers, sections;
    u32 flags;
    unsigned short size, header_size, headers_count;
};
struct elf_segment {
    u32 type, flags;
    u64 offset, address, physical, file_size, memory_size, align;
};
struct elf_symbol {
    u32 name;
    u8 info, other;
    unsigned short section;
    u64 value, size;
};

static u64 base, slide;
static const struct elf_symbol *symbols;
static const char *names;
static const u32 *hash; // bucket count, chain count

static bool vdso_open(const u64 *dynamic) {
    for (; dynamic[0] != 0; dynamic += 2) {
        u64 address = dynamic[1] < base ? dynamic[1] + slide : dynamic[1];
        if (dynamic[0] == DT_SYMTAB) symbols = (const struct elf_symbol *)address;
        if (dynamic[0] == DT_STRTAB) names = (const char *)address;
        if (dynamic[0] == DT_HASH) hash = (const u32 *)address;
    }
    return symbols && names;
}

static bool vdso_find(void) {
    const struct elf_header *header = (const struct elf_header *)base;
    const struct elf_segment *segments = (const struct elf_segment *)(base + header->headers);
    const u64 *dynamic = 0;
    IS(is_equal(header->ident, "\177ELF", 4), true);
    for (u32 i = 0; i < header->headers_count; i++) {
        if (segments[i].type == PT_LOAD) slide = base + segments[i].offset - segments[i].address;
        if (segments[i].type == PT_DYNAMIC) dynamic = (const u64 *)(base + segments[i].offset);
    }
    return dynamic && vdso_open(dynamic);
}

static void *vdso_symbol(const char *name) {
    // Newer kernels have no DT_HASH; the symbols end where the names begin.
    u64 count = hash ? hash[1] : ((u64)names - (u64)symbols) / sizeof(struct elf_symbol);
    for (u64 i = 0; i < count; i++)
        if (symbols[i].section != 0 && text_equal(names + symbols[i].name, name))
            return (void *)(slide + symbols[i].value);
    return 0;
}

static u64 ns_of(const struct timespec *time) {
    return (u64)time->seconds * 1000000000 + (u64)time->nanoseconds;
}

static void test_clocks(void) {
    int (*clock_gettime)(int, struct timespec *) = vdso_symbol("__vdso_clock_gettime");
    static const int clocks[] = {0, 1, 7};
    IS(clock_gettime != 0, true);
    for (u32 i = 0; i < 3 && clock_gettime; i++) {
        struct timespec before, own, after;
        SYS(SYS_clock_gettime, clocks[i], &before);
        IS(clock_gettime(clocks[i], &own), 0);
        SYS(SYS_clock_gettime, clocks[i], &after);
        IS(ns_of(&before) <= ns_of(&own) && ns_of(&own) <= ns_of(&after), true);
    }
    struct timespec cpu;
    IS(clock_gettime(2, &cpu), 0); // by a call
    IS(clock_gettime(77, &cpu), -EINVAL);
}

static void test_others(void) {
    long (*time)(long *) = vdso_symbol("__vdso_time");
    int (*gettimeofday)(long *, void *) = vdso_symbol("__vdso_gettimeofday");
    int (*getcpu)(u32 *, u32 *, void *) = vdso_symbol("__vdso_getcpu");
    long pair[2], stored = 0;
    u32 cpu = 999, node = 999;
    long before = SYS(SYS_time, 0);
    long own = time(&stored);
    IS(own, stored);
    IS(own >= before && own <= before + 1, true);
    IS(gettimeofday(pair, 0), 0);
    IS(pair[0] >= own && pair[0] <= own + 1 && pair[1] < 1000000, true);
    IS(getcpu(&cpu, &node, 0), 0);
    IS(cpu < 256 && node < 256, true);
}

static void test_is_constant(void) {
    long pid = SYS(SYS_fork);
    if (pid == 0) {
        *(volatile u8 *)base = 1;
        linux_exit(0);
    }
    IS(wait_status(pid) & 0x7f, SIGSEGV);
    IS(SYS(SYS_clock_gettime, 1, base), -EFAULT);
}

static int program(long argc, char **argv) {
    char **at = argv + argc + 1;
    while (*at++) {
    }
    for (u64 *vector = (u64 *)at; vector[0] != 0; vector += 2)
        if (vector[0] == AT_SYSINFO_EHDR) base = vector[1];
    IS(base != 0, true);
    if (base && vdso_find()) {
        test_clocks();
        test_others();
        test_is_constant();
    } else {
        failures++;
    }
    print(failures ? "vdso: failed\n" : "vdso: ok\n");
    return failures ? 1 : 0;
}

LINUX_PROGRAM(program)
