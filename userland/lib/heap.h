// Memory for objects of any size, over anonymous mappings.
// Rules:
// - heap_alloc gives memory with undefined contents, aligned to 8 bytes (to a page above 2 KiB), or
//   NULL: running out is the caller's to report;
// - heap_alloc_zero clears it;
// - heap_free takes what these gave, or NULL;
// - any thread may call; nothing here waits but for the heap's own lock.
#pragma once

#include "lib/types.h"

enum {
    HEAP_ALLOC_MAX = 128 * PAGE_SIZE, // bytes in one allocation
};

[[nodiscard]] void *heap_alloc(usize size);
[[nodiscard]] void *heap_alloc_zero(usize size);
void heap_free(void *memory);
// Gives the memory of free pages back, but for a few: when nothing will be needed for a while.
void heap_trim(void);

// Given by the program: where the first chunk of 1 MiB lies, aligned to that. Beside the program's own
// data it shares a page table with them.
extern u8 *const heap_first_chunk;

// Given by the program: has a page that is mapped paid for, so that it can be written without a
// fault that can't be; 0, or not. Its bytes stay as they are.
i64 page_touch(void *page);

// Given by the program: maps `size` bytes of zeros at a fixed address; gives back pages that are
// free (they read as zeros afterwards). Returns 0 or a negative code.
status_t heap_map(void *address, usize size);
void heap_discard(void *address, usize size);
