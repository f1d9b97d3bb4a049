// A program that takes what it can get, or computes, by its argument:
//   memory       writes page after page of new memory; prints the errno if it is refused
//   forks        forks until it is refused, for ever; its children do so too
//   descriptors  opens files until it is refused; prints how many, and the errno
//   pipes        the same with pipes, whose ends wait in each other
//   compute N    N rounds of a checked computation; prints its result
// Those that end print one line. Never run outside a container.
#include "../check.h"

enum { PAGE = 4096, CHUNK = 64 * PAGE };

static void number_print(const char *name, u64 number) {
    char text[24];
    u32 at = sizeof(text);
    text[--at] = '\n';
    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    u32 size = 0;
    while (name[size])
        size++;
    SYS(SYS_write, 1, name, size);
    SYS(SYS_write, 1, text + at, sizeof(text) - at);
}

static void memory_take(void) {
    for (;;) {
        long address = SYS(SYS_mmap, 0, CHUNK, 3, 0x22, -1, 0);
        if (address < 0) {
            number_print("refused ", (u64)-address);
            return;
        }
        for (u32 at = 0; at < CHUNK; at += PAGE)
            *(volatile char *)(address + at) = 1;
    }
}

static void forks_take(void) {
    for (;;)
        SYS(SYS_fork);
}

static void descriptors_take(void) {
    u64 count = 0;
    long result;
    while ((result = SYS(SYS_open, "/dev/zero", 0)) >= 0)
        count++;
    number_print("files ", count);
    number_print("errno ", (u64)-result);
}

static void pipes_take(void) {
    u64 count = 0;
    int ends[2];
    long result;
    while ((result = SYS(SYS_pipe, ends)) == 0)
        count++;
    number_print("pipes ", count);
    number_print("errno ", (u64)-result);
}

static void compute(const char *rounds_text) {
    u64 rounds = 0;
    u64 state = 88172645463325252;
    for (; *rounds_text >= '0' && *rounds_text <= '9'; rounds_text++)
        rounds = rounds * 10 + (u64)(*rounds_text - '0');
    for (; rounds > 0; rounds--) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    number_print("computed ", state);
}

static int is_word(const char *text, const char *word) {
    for (; *word && *text == *word; word++)
        text++;
    return *text == *word;
}

static int program(long argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (is_word(what, "memory")) memory_take();
    if (is_word(what, "forks")) forks_take();
    if (is_word(what, "descriptors")) descriptors_take();
    if (is_word(what, "pipes")) pipes_take();
    if (is_word(what, "compute") && argc > 2) compute(argv[2]);
    return 0;
}

LINUX_PROGRAM(program)
