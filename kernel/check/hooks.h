// What the kernel's own code calls of kernel/check, in debug builds; and where tests break it.
//
// Rules:
// - A kernel that is built with -DCLOISTER_BREAK=BREAK_x is broken in one place, to show that the
//   proofs find it. In every other one BREAK(x, sound, broken) is `sound`.
#pragma once

enum kernel_break {
    BREAK_NOTHING,
    BREAK_CHARGE,    // handles are not paid
    BREAK_RIGHTS,    // no call asks for DUPLICATE
    BREAK_REFERENCE, // a registration keeps no reference to its object
    BREAK_SHOOTDOWN, // what is unmapped stays in TLBs
};
#ifndef CLOISTER_BREAK
#define CLOISTER_BREAK BREAK_NOTHING
#endif
#define BREAK(what, sound, broken) (CLOISTER_BREAK == BREAK_##what ? (broken) : (sound))

struct page;

// A page that is free from now on, filled with a pattern, or all zeros (else a panic); and the
// same page when it is taken again: a panic if somebody has written to it.
void page_poison(struct page *page);
void page_mark_zeroed(struct page *page);
void page_check_free(const struct page *page);
// The same for slots of the heap; their first word is the heap's.
void heap_poison(void *slot, unsigned long size);
void heap_check_free(const void *slot, unsigned long size);

// The machine's part of it: a sanitizer, if there is one, finds each access to hidden memory at once.
void check_hide(const void *memory, unsigned long size);
void check_show(const void *memory, unsigned long size);
