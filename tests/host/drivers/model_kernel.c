// What the drivers need of the rest of the kernel, for the tests: pages, locks that are counted,
// interrupts, a clock.
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

#include "abi/errors.h"
#include "drivers/acpi.h"
#include "lib/print.h"
#include "mm/page.h"

struct handler {
    arch_irq_handler function;
    void *argument;
};
static struct handler handlers[16];
static u32 handler_count;
u32 model_locks_held;
alignas(4096) u8 model_ram[MODEL_RAM_PAGES * PAGE_SIZE];
static struct page pages[MODEL_RAM_PAGES];
struct page *page_array = pages;
static u32 pages_used = 1;

_Noreturn void model_fail(const char *file, int line, const char *condition) {
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}

struct page *page_alloc([[maybe_unused]] struct ledger *payer, [[maybe_unused]] u32 flags) {
    return pages_used < MODEL_RAM_PAGES ? &pages[pages_used++] : nullptr;
}

u64 model_page(void) {
    struct page *page = page_alloc(nullptr, 0);
    CHECK(page);
    return page_paddr(page);
}

void lock_wait([[maybe_unused]] struct lock *lock) { CHECK(!"a lock is taken twice"); }

void lock_debug_acquire([[maybe_unused]] const struct lock *lock, [[maybe_unused]] u32 same_rank) {
    CHECK(model_locks_held == 0); // all locks here have the same rank
    model_locks_held++;
}

void lock_debug_release([[maybe_unused]] const struct lock *lock) { model_locks_held--; }

void klog([[maybe_unused]] enum log_level level, [[maybe_unused]] const char *format, ...) {}

NORETURN void panic(const char *format, ...) {
    fprintf(stderr, "panic: %s\n", format);
    abort();
}

u64 arch_time_ns(void) {
    static u64 now_ns;
    return now_ns += 1000;
}

u64 arch_entropy(void) { return model_random(); }

void arch_spin_poll(void) {}

struct acpi_info acpi = {.ecam_paddr = MODEL_ECAM, .ecam_last_bus = 255};

void *arch_mmio_map(u64 paddr, [[maybe_unused]] u64 size) {
    return (void *)(MODEL_MMIO_BASE + paddr);
}

status_t arch_irq_alloc_msi(arch_irq_handler handler, void *argument, u64 *address, u32 *data) {
    CHECK(handler_count < ARRAY_SIZE(handlers));
    handlers[handler_count] = (struct handler){handler, argument};
    *address = 0xfee00000;
    *data = handler_count++;
    return OK;
}

void model_interrupt(u32 vector) {
    CHECK(vector < handler_count);
    handlers[vector].function(handlers[vector].argument);
    CHECK(model_locks_held == 0);
}
