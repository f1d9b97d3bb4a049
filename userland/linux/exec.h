// The parts of execve: loading (exec.c), the file and its script lines (exec_file.c), the first
// stack (exec_stack.c).
#pragma once

#include "lib/elf.h"
#include "linux/process.h"

// What starting a program needs beyond its file.
struct exec_layout {
    u64 base; // added to every address of a relocatable program
    u64 map_hint;
    u64 stack_start;
    u64 stack_top;
    u64 random[2]; // for AT_RANDOM
    u64 vdso;      // 0: none
    const struct credentials *credentials;
    bool is_secure; // AT_SECURE
};

// Writes arguments, environment and auxiliary vector to the new memory, which is bound. The path is
// what the program is started by. *stack_pointer is what rsp must be.
int exec_stack_write(const struct program *program, const struct elf_image *image,
                     const struct exec_layout *layout, const char *path, u64 *stack_pointer);

// Opens the program's file: walks to it, checks that it may run, follows `#!` lines, which change
// the strings. `header` gets its first bytes, *header_size how many.
int exec_file_open(struct thread *thread, i32 directory, const char *path, struct program *program,
                   void *header, u64 *header_size);
