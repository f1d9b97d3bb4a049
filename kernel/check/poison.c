// Freed memory is filled with a pattern, and looked at when it is taken again.
#include "lib/print.h"
#include "lib/string.h"
#include "mm/page.h"

enum : u32 { IS_POISONED = 1 << 2, IS_ZEROED = 1 << 3 }; // page->flags of free pages
enum : u8 { PAGE_PATTERN = 0xdb, HEAP_PATTERN = 0xdd };

static u64 word_of(u8 pattern) { return pattern * 0x0101010101010101ul; }

// Of the first word that is not `wanted`; `size`: there is none.
static u64 difference_at(const u64 *words, u64 wanted, usize size) {
    usize at = 0;
    while (at < size / sizeof(*words) && words[at] == wanted)
        at++;
    return at * sizeof(*words);
}

static void check(const void *memory, u64 wanted, usize size, const char *what) {
    const u64 *words = memory;
    u64 at = difference_at(words, wanted, size);
    if (at < size)
        panic("check: %s at %lx was written to after it was freed: %lx at offset %lx, not %lx",
              what, (u64)memory, words[at / sizeof(*words)], at, wanted);
}

void page_poison(struct page *page) {
    check_show(page_address(page), PAGE_SIZE); // blocks of the heap were in it
    memset(page_address(page), PAGE_PATTERN, PAGE_SIZE);
    check_hide(page_address(page), PAGE_SIZE);
    page->flags = (page->flags & PAGE_KERNEL) | IS_POISONED;
}

void page_mark_zeroed(struct page *page) {
    check(page_address(page), 0, PAGE_SIZE, "a page that is given back as zeros");
    check_hide(page_address(page), PAGE_SIZE);
    page->flags = (page->flags & PAGE_KERNEL) | IS_ZEROED;
}

void page_check_free(const struct page *page) {
    check_show(page_address(page), PAGE_SIZE);
    if (page->flags & IS_POISONED)
        check(page_address(page), word_of(PAGE_PATTERN), PAGE_SIZE, "a page");
    if (page->flags & IS_ZEROED) check(page_address(page), 0, PAGE_SIZE, "a page of zeros");
}

// The first word is the heap's.
void heap_poison(void *slot, usize size) {
    memset(slot, HEAP_PATTERN, size);
    check_hide((u64 *)slot + 1, size - sizeof(u64));
}

void heap_check_free(const void *slot, usize size) {
    const u64 *words = slot;
    check_show(slot, size);
    check(words + 1, word_of(HEAP_PATTERN), size - sizeof(*words), "a block of the heap");
}
