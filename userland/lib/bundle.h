// The boot bundle: files in one memory object. Page 0 and as many as the table needs: {char
// magic[8] "CLOISBUN"; u32 version 3; u32 count; …}, then per file {char name[48]; u64 offset; u64
// size}; files follow, page-aligned. Written by pybuild/bundle.py; the rest of the header is for and
// by the kernel (kernel/object/boot.c).
#pragma once

#include "abi/types.h"
#include "abi/errors.h"
#include "lib/types.h"

enum { BUNDLE_NAME_MAX = 47, BUNDLE_FILES_MAX = 1024 };

struct bundle_header {
    char magic[8];
    u32 version;
    u32 count;
    u64 mappings[34];
    // What the kernel gave to init; see init/start.c.
    handle_t handles[8];
    char command_line[1024];
};

struct bundle_file {
    char name[BUNDLE_NAME_MAX + 1];
    u64 offset;
    u64 size_bytes;
};
static_assert(sizeof(struct bundle_file) == 64);

// The file number `index` of a bundle; NOT_FOUND past the last, INVALID_ARGUMENT when it is no
// bundle or the entry lies outside it, else what memobj_read says.
status_t bundle_file_at(handle_t bundle, u32 index, struct bundle_file *file);
status_t bundle_find(handle_t bundle, const char *name, struct bundle_file *file);
