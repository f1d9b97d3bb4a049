// Physical pages.
//
// Rules:
// - Every page in use has a payer, charged when it was taken and uncharged when its last
//   reference is given back, however often it is mapped.
// - Free pages are zeroed when they are taken, unless the taker says that it overwrites all.
#pragma once

#include "arch/arch.h"
#include "lib/print.h"
#include "mm/ledger.h"

// One for each page frame of RAM.
struct page {
    union {
        struct ledger *payer; // in use
        struct page *next;    // free
    };
    u32 refs;  // atomic
    u32 flags; // PAGE_*
};

enum : u32 {
    PAGE_DIRTY = 1 << 0,  // in alloc: the caller overwrites all of it, do not zero
    PAGE_KERNEL = 1 << 1, // counts as kernel structure in the payer's ledger
};

// Makes the page array and gives all free RAM to `root`.
void page_init(struct ledger *root);

// Takes a page with one reference, paid by `payer`. Returns nullptr when the ledger refuses.
struct page *page_alloc(struct ledger *payer, u32 flags);
// The same, for a page that was paid for before (see ledger_charge); never fails.
struct page *page_alloc_paid(struct ledger *payer, u32 flags);
static inline void page_get(struct page *page) {
    u32 before = __atomic_fetch_add(&page->refs, 1, __ATOMIC_RELAXED);
    DASSERT((i32)before > 0);
}
// Gives back a reference; with the last one the page is free and uncharged.
void page_put(struct page *page);
// The same for a page that is all zeros: the next who wants zeros may get it as it is.
void page_put_zeroed(struct page *page);
static inline u32 page_refs(const struct page *page) {
    return __atomic_load_n(&page->refs, __ATOMIC_ACQUIRE);
}

extern struct page *zero_page;  // of zeros, for all, read-only; constant after page_init
extern struct page *page_array; // by frame number; constant after page_init
static inline struct page *page_from_paddr(u64 paddr) { return &page_array[paddr >> PAGE_SHIFT]; }
static inline u64 page_paddr(const struct page *page) {
    return (u64)(page - page_array) << PAGE_SHIFT;
}
static inline void *page_address(const struct page *page) { return arch_direct(page_paddr(page)); }

// Pages that nobody can charge, so that one CPU's cache can't starve another.
u64 page_withheld_count(void);
