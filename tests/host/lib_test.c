// Unit tests of userland/lib on the host: formatting against the host's printf, ELF parsing.
#include "check.h"

#include "lib/elf.h"
#include "lib/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_FORMAT(...)                                                 \
    do {                                                                  \
        char ours[64], theirs[64];                                        \
        usize length = format_text(ours, sizeof(ours), __VA_ARGS__);      \
        int expected = snprintf(theirs, sizeof(theirs), __VA_ARGS__);     \
        if (length != (usize)expected || strcmp(ours, theirs) != 0) {     \
            printf("%d: \"%s\" is not \"%s\"\n", __LINE__, ours, theirs); \
            failures++;                                                   \
        }                                                                 \
    } while (0)

static void test_format(void) {
    CHECK_FORMAT("plain");
    CHECK_FORMAT("%d %i %u", -5, 7, 4000000000u);
    CHECK_FORMAT("%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42);
    CHECK_FORMAT("%x %X %o %08lx", 0xbeef, 0xbeef, 0755, 0x123456789abcUL);
    CHECK_FORMAT("%ld %lu %zu", -1L, ~0UL, sizeof(int));
    CHECK_FORMAT("%hhd %hd", (signed char)-1, (short)-300);
    CHECK_FORMAT("%s|%10s|%-10s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "xyz");
    CHECK_FORMAT("%c%c|%3c", 'a', 'b', 'c');
    CHECK_FORMAT("%.5d|%8.5d|%-8.5d|%08.5d", 42, 42, 42, 42);
    CHECK_FORMAT("%*d|%-*d", 6, 1, 6, 2);
    CHECK_FORMAT("100%%");
    CHECK_FORMAT("%s", "longer than the buffer that it is printed into, which has only 64 bytes");
    CHECK(format_text(NULL, 0, "%d", 123) == 3);
}

static void test_elf(void) {
    struct elf_image image;
    const char *problem = NULL;
    CHECK(elf_parse(&image, "#!/bin/sh", 9, 9, 1UL << 47, &problem) == ELF_NOT_ELF);
    CHECK(elf_parse(&image, "\177ELF", 4, 4, 1UL << 47, &problem) == ELF_DAMAGED);
}

static void test_elf_file(const char *path) {
    static u8 header[ELF_HEADER_BYTES];
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    usize size = fread(header, 1, sizeof(header), file);
    fseek(file, 0, SEEK_END);
    u64 file_size = (u64)ftell(file);
    fclose(file);
    struct elf_image image;
    const char *problem = NULL;
    CHECK(elf_parse(&image, header, size, file_size, 1UL << 47, &problem) == ELF_OK);
    CHECK(image.segments_count >= 2);
    CHECK(image.headers_address != 0);
    CHECK(!image.has_executable_stack);
    CHECK(elf_parse(&image, header, size, 8192, 1UL << 47, &problem) == ELF_DAMAGED);
    CHECK(elf_parse(&image, header, size, file_size, 0x1000, &problem) == ELF_DAMAGED);
}

int main(int argc, char **argv) {
    test_format();
    test_elf();
    for (int i = 1; i < argc; i++) {
        test_elf_file(argv[i]);
    }
    return failures ? 1 : 0;
}
