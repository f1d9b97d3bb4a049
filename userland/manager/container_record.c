// Memory for the records of containers: pages that are touched when they are needed, and given back
// when their last record is free, so that a manager without containers is as small as at its start.
#include "cloister.h"

#include "lib/heap.h"
#include "lib/mutex.h"
#include "lib/string.h"
#include "manager/container.h"

enum {
    PAGES_MAX = 256,
    PER_PAGE = PAGE_SIZE / sizeof(struct container),
};
static_assert(PER_PAGE >= 8 && PER_PAGE <= 32);

union record_page {
    struct container containers[PER_PAGE];
    u8 bytes[PAGE_SIZE];
} __attribute__((aligned(PAGE_SIZE)));

static union record_page pages[PAGES_MAX];
static u32 used[PAGES_MAX]; // a bit for each record of a page

struct container *container_record_alloc(void) {
    u32 page = 0;
    while (page < PAGES_MAX && used[page] == (1ull << PER_PAGE) - 1)
        page++;
    if (page == PAGES_MAX) return NULL;
    u32 place = (u32)__builtin_ctz(~used[page]);
    used[page] |= 1u << place;
    struct container *container = &pages[page].containers[place];
    memset(container, 0, sizeof(*container));
    list_init(&container->link);
    list_init(&container->timed);
    list_init(&container->waiters);
    return container;
}

void container_record_free(struct container *container) {
    heap_free(container->words);
    u32 page = (u32)((union record_page *)page_round_down((u64)container) - pages);
    u32 place = (u32)(container - pages[page].containers);
    used[page] &= ~(1u << place);
    if (used[page] == 0) aspace_discard(0, (u64)&pages[page], PAGE_SIZE);
}

u8 *const heap_first_chunk = (u8 *)0x7f8000a00000;

// What the heap asks of a program. There is one thread, and what it touches it may have.
i64 page_touch(void *page) {
    *(volatile u8 *)page = *(volatile u8 *)page;
    return 0;
}

status_t heap_map(void *address, usize size) {
    u64 mapped;
    return aspace_map(0, 0, 0, (u64)address, size, CL_MAP_READ | CL_MAP_WRITE | CL_MAP_FIXED,
                      &mapped);
}

void heap_discard(void *address, usize size) { aspace_discard(0, (u64)address, size); }

void mutex_wait(u32 *word, u32 expected) { futex_wait((u64)word, expected, 0, CL_DEADLINE_NEVER); }

void mutex_wake(u32 *word) {
    u32 woken;
    futex_wake((u64)word, 1, &woken);
}
