// The kernel's invariants, stated as code: each count is made anew from what there is, and compared
// with what is recorded. Linked into the debug kernel and into the host's tests only.
//
// Rules:
// - object_check_all() looks while all other CPUs stand still, between two steps of whatever runs
//   there, and takes no locks. What it looks at it does not change, but for the upper bits of
//   page->flags, which are its own.
// - What a thread has in hand (a page on its way into a table, a message being copied) is on its
//   stack only. A difference counts when it is there, the same, each time that the world was let
//   run on a little and stopped again.
// - References of threads that sleep in a system call are on their stacks for as long: there may
//   be as many more than were found as words there point to the object, and not one fewer.
#pragma once

// Nobody else runs.
#pragma clang diagnostic ignored "-Wthread-safety"

#include "object/namespace.h"
#include "mm/page.h"

struct message;
struct thread_object;

// ---- for who wants it checked ----

// Prints a sentence for each difference that stays, and returns how many there are.
u32 object_check_all(void);
// A difference is a panic.
void object_check_or_panic(void);

// ---- what is found ----

// Of an object: how often its holders were found.
struct found {
    const struct object *object;
    u32 refs;      // all of the following, and what the kernel's structures keep
    u32 handles;   // handles of it
    u32 observers; // registrations of it
    u32 mappings;  // of a memory object
    u32 through;   // of a revoker: handles that carry it
    u32 revocable; // and mappings, registrations, revokers
    u32 words;     // on stacks
};
// Of a namespace: what it has to pay for.
struct found_ns {
    const struct namespace *ns;
    i64 pages, kernel_pages;
    u64 cached; // pages of disks
    i64 counted[LEDGER_COUNTS];
};

// Forgets all. False: there is no room for so many objects.
bool found_clear(void);
void found_add_object(const struct object *object);
// Never nullptr: an object that no namespace has is a difference, and counts somewhere.
struct found *found_of(const void *object);
// nullptr: the word is no object's address.
struct found *found_find(u64 word);
struct found_ns *found_ns_of(const struct ledger *ledger);
// One more reference; nullptr is allowed.
void found_ref(const void *object);
// One more block of the heap that something uses.
void found_block(const void *block);
// One more reference to a page, by its structure or its address in the direct map.
void found_page(struct page *page);
void found_kernel_page(const void *address);

// Bits of page->flags.
enum : u32 {
    FOUND_AT_BOOT = 1 << 8, // somebody's since boot, who is not asked
    FOUND_BLOCKS = 1 << 9,  // of the heap: what was found are blocks
    FOUND_ONE = 1 << 10,
};
static inline u32 found_count(const struct page *page) { return page->flags / FOUND_ONE; }

// ---- differences ----

// `of` is an object; nullptr: the page or the like that `id` names.
void check_equal(const struct object *of, const char *what, u64 recorded, u64 found);
void check_page_equal(const struct page *page, const char *what, u64 recorded, u64 found);
// Something at an address that is not what it should be.
void check_unknown(const char *what, const void *address);
// Of what is a rule and no number.
void check_rule(const struct object *of, const char *what, bool holds);
// Each node's neighbours know it. Returns how many there are.
u32 check_list(const struct object *of, const char *what, const struct list *list);

// ---- the passes; each for one object ----

void find_object(struct object *object); // what it holds is found
void find_handle(const struct handle *slot);
void find_message(const struct message *message);
void find_aspace(struct object *object);
void find_memobj(struct object *object);
void compare_object(struct object *object); // what was found of it is what it says
void compare_ledger(const struct namespace *ns);
void compare_pages(void);

// ---- the machine's part ----

void check_stop_others(void);
void check_go_on(void);
// Lets others run a little.
void check_pause(void);
// Finds the pages of tables, and calls back for each entry, with ARCH_MAP_*.
void check_pmap(struct arch_pmap *pmap, void *argument,
                void (*entry)(void *argument, u64 va, struct page *page, u32 rights));
// Whether no TLB remembers what is mapped no more, as far as that can be seen.
bool check_tlbs(struct arch_pmap *pmap);
// Finds a thread's stack, and the objects that words on it point to.
void check_stack(struct thread_object *thread);
// Pages that belong to nobody's structure; once before each look.
void check_machine_pages(void);
