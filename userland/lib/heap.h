// Memory for objects of any size, over anonymous mappings.
// Rules:
// - heap_alloc gives memory with undefined contents, aligned to 16 bytes (to a page from a page
//   up), or NULL: running out is the caller's to report;
// - heap_alloc_zero clears it;
// - heap_free takes what these gave, or NULL;
// - any thread may call; nothing here waits but for the heap's own lock.
#pragma once

#include "lib/types.h"

enum {
    HEAP_ALLOC_MAX = 64 * PAGE_SIZE, // bytes in one allocation
};

[[nodiscard]] void *heap_alloc(usize size);
[[nodiscard]] void *heap_alloc_zero(usize size);
void heap_free(void *memory);

// How many bytes there are behind the pointer: at least what was asked for.
usize heap_size(const void *memory);

// Given by the program: maps `size` bytes of zeros at a fixed address; gives back pages that are
// free (they read as zeros afterwards). Returns 0 or a negative code.
status_t heap_map(void *address, usize size);
void heap_discard(void *address, usize size);
