// Memory and string functions. The compiler also calls the first four by itself.
#pragma once

#include "lib/types.h"

void *memcpy(void *restrict to, const void *restrict from, usize size);
void *memmove(void *to, const void *from, usize size);
void *memset(void *to, int byte, usize size);
// Reads no further than the first byte that differs.
int memcmp(const void *a, const void *b, usize size);

usize strlen(const char *text);

// Zeroes one page of 4 KiB, page-aligned. Quicker than memset.
void page_zero(void *page);
// Copies one page of 4 KiB, both page-aligned.
void page_copy(void *restrict to, const void *restrict from);
