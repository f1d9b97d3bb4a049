// The checks' view of the machine that a Unix process is: whoever asks sees to it that nobody else
// runs, and has no references of its own.
#include "arch/host/os.h"
#include "arch/host/tlb.h"
#include "check/check.h"
#include "object/thread_object.h"

enum : u64 { PAUSE_NS = 1'000'000 };

void check_stop_others(void) {}

void check_go_on(void) {}

void check_pause(void) {
    static struct lock lock = LOCK_INIT(LOCK_OBJECT);
    static struct waitq nobody = {.threads = LIST_INIT(nobody.threads)};
    lock_acquire(&lock);
    (void)waitq_block(&nobody, &lock, arch_time_ns() + PAUSE_NS, 0);
}

void check_pmap(struct arch_pmap *pmap, void *argument,
                void (*entry)(void *argument, u64 va, struct page *page, u32 rights)) {
    for (u64 i = 0; i < pmap->tables.count; i++)
        found_page(page_from_paddr(pmap->tables.entries[i].paddr));
    for (u64 i = 0; i < pmap->pages.count; i++) {
        const struct host_map_entry *at = &pmap->pages.entries[i];
        entry(argument, at->va, page_from_paddr(at->paddr), at->flags);
    }
}

bool check_tlbs(struct arch_pmap *pmap) { return tlb_is_right(pmap); }

void check_hide(const void *memory, usize size) { host_os_hide(memory, size); }

void check_show(const void *memory, usize size) { host_os_show(memory, size); }

void check_stack(struct thread_object *thread) {
    u64 top = thread->thread.arch.stack_top;
    if (top) found_kernel_page((void *)(top - PAGE_SIZE));
}

void check_machine_pages(void) {}

void *arch_boot_bundle(u64 *size) {
    *size = 0;
    return nullptr;
}
