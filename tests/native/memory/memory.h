// The tests of mappings and memory objects: each file has a part.
#pragma once
#include "test.h"

enum { PAGE = CL_PAGE_SIZE, READ_WRITE = CL_MAP_READ | CL_MAP_WRITE };

static inline volatile uint64_t *word_at(uint64_t address) { return (volatile uint64_t *)address; }

// Pages in the namespace's own use.
uint64_t used_pages(void);
// Whether the kernel can read, write user memory there.
bool can_read(uint64_t address);
bool can_write(uint64_t address);
// Anonymous memory in the own part.
uint64_t map_pages(uint64_t pages);
handle_t memobj_make(uint64_t pages);

void test_mappings(void);
void test_objects(void);
void test_restricted(void);
