// Checked parsing of ELF64 x86-64 program files: static executables and static position-independent
// ones. Nothing is loaded here; the result says what to map where.
// Rules:
// - the file is not trusted: what elf_parse accepts can be mapped without further checks;
// - nothing here allocates, blocks or locks.
#pragma once

#include "lib/types.h"

enum {
    ELF_OK = 0,
    ELF_NOT_ELF = -1,     // not an ELF file at all
    ELF_DAMAGED = -2,     // an ELF file that contradicts itself
    ELF_UNSUPPORTED = -3, // a proper ELF file for another machine, or one that needs an interpreter
};

enum {
    ELF_SEGMENTS_MAX = 16,
    ELF_HEADER_BYTES = 2048, // headers must lie within this from the start of the file
};

enum {
    ELF_EXECUTE = 1,
    ELF_WRITE = 2,
    ELF_READ = 4,
};

// address and file_offset are congruent modulo the page size; segments are in ascending order and
// share no page.
struct elf_segment {
    u64 address;
    u64 file_offset;
    u64 file_size;
    u64 memory_size;
    u32 access; // ELF_READ ...
};

struct elf_image {
    u64 entry;
    u64 headers_address; // of the program headers in memory; 0: in no segment
    u32 headers_count;
    u32 headers_entry_size;
    u32 segments_count;
    bool is_relocatable; // every address is relative to a base that the loader chooses
    bool has_executable_stack;
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};

// `header` holds the first `header_size` bytes of a file of `file_size` bytes: all of it, or at
// least ELF_HEADER_BYTES. `address_limit` is the first address that no segment may reach.
// On failure *problem is a constant text that says why.
status_t elf_parse(struct elf_image *image, const void *header, u64 header_size, u64 file_size,
                   u64 address_limit, const char **problem);
