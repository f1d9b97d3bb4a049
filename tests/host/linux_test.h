// What tests of the personality on the host share: one process, its Linux memory, and calls by path.
// Rules:
// - a program includes it once; the checks count into `failures`;
// - expected results are Linux's.
#pragma once

#include "check.h"
#include "fake_kernel.h"

#include "linux/abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NR_READ = 0,
    NR_WRITE = 1,
    NR_OPEN = 2,
    NR_CLOSE = 3,
    NR_STAT = 4,
    NR_FSTAT = 5,
    NR_LSTAT = 6,
    NR_LSEEK = 8,
    NR_PREAD = 17,
    NR_PWRITE = 18,
    NR_ACCESS = 21,
    NR_DUP = 32,
    NR_EXIT = 60,
    NR_WAIT4 = 61,
    NR_FCNTL = 72,
    NR_FLOCK = 73,
    NR_TRUNCATE = 76,
    NR_FTRUNCATE = 77,
    NR_GETCWD = 79,
    NR_CHDIR = 80,
    NR_RENAME = 82,
    NR_MKDIR = 83,
    NR_RMDIR = 84,
    NR_LINK = 86,
    NR_UNLINK = 87,
    NR_SYMLINK = 88,
    NR_READLINK = 89,
    NR_CHMOD = 90,
    NR_CHOWN = 92,
    NR_GETDENTS64 = 217,
    NR_UTIMENSAT = 280,
    NR_RENAMEAT2 = 316,
};

static struct thread *first;

// Linux memory.
static char buffer[70000];
static char path[8192];
static struct linux_stat status;

static inline i64 open_path(const char *text, u32 flags) {
    strcpy(path, text);
    return CALL3(first, NR_OPEN, path, flags, 0644);
}

static inline i64 path_call(u64 number, const char *text) {
    strcpy(path, text);
    return CALL3(first, number, path, 0755, 0);
}

static inline i64 paths_call(u64 number, const char *one, const char *two) {
    strcpy(path, one);
    strcpy(path + 4096, two);
    return CALL2(first, number, path, path + 4096);
}

static inline i64 rename_call(const char *one, const char *two, u32 flags) {
    strcpy(path, one);
    strcpy(path + 4096, two);
    return CALL5(first, NR_RENAMEAT2, AT_FDCWD, path, AT_FDCWD, path + 4096, flags);
}

static inline i64 stat_path(u64 number, const char *text) {
    strcpy(path, text);
    return CALL2(first, number, path, &status);
}

static inline i64 close_fd(i64 fd) { return CALL1(first, NR_CLOSE, fd); }

static inline i64 make_file(const char *text, const char *content) {
    i64 fd = open_path(text, O_CREAT | O_WRONLY | O_TRUNC);
    strcpy(buffer, content);
    i64 count = fd < 0 ? fd : CALL3(first, NR_WRITE, fd, buffer, strlen(content));
    close_fd(fd);
    return count;
}

// What a file contains, up to a few bytes; or the error's number.
static inline const char *text_of(const char *name) {
    i64 fd = open_path(name, O_RDONLY);
    i64 count = fd < 0 ? fd : CALL3(first, NR_READ, fd, buffer, 4000);
    close_fd(fd);
    if (count < 0) {
        snprintf(buffer, sizeof(buffer), "error %ld", -count);
    } else {
        buffer[count] = 0;
    }
    return buffer;
}

#define CHECK_TEXT(name, expected)                                                                \
    do {                                                                                          \
        const char *got = text_of(name);                                                          \
        if (strcmp(got, expected) != 0) {                                                         \
            printf("%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, name, got, expected); \
            failures++;                                                                           \
        }                                                                                         \
    } while (0)

// Boots with the image in the file that the program's argument names.
static inline void boot_image(int argc, char **argv) {
    enum { IMAGE_BYTES_MAX = 16 << 20 };
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        exit(2);
    }
    u8 *image = malloc(IMAGE_BYTES_MAX);
    u64 size = fread(image, 1, IMAGE_BYTES_MAX, file);
    fclose(file);
    first = fake_boot(image, size);
}
