// System calls on the machine, and those that need no object: clock, random bytes, log.
#include "object/system.h"

#include "arch/arch.h"
#include "drivers/random.h"
#include "drivers/serial.h"
#include "kernel/handlers.h"
#include "mm/page.h"
#include "object/namespace.h"
#include "object/trace.h"
#include "object/user.h"

enum : u64 { NS_PER_S = 1'000'000'000 };

const struct object_ops system_object_ops = {};

status_t system_create(struct object **out) {
    *out = object_alloc(ns_root, OBJ_SYSTEM, sizeof(**out));
    if (!*out) return ERR_NO_RESOURCES;
    object_publish(*out);
    return OK;
}

// Sums over a namespace and all below; the depth is bounded by LEDGER_DEPTH_MAX.
static void totals_add(struct namespace *ns, struct cl_system_info *info) {
    info->objects += ns_counted(ns, LEDGER_OBJECTS);
    info->handles += ns_counted(ns, LEDGER_HANDLES);
    struct namespace *child = nullptr;
    while ((child = ns_child_after(ns, child)) != nullptr)
        totals_add(child, info);
}

status_t sys_system_info(struct object *, struct cl_system_info *info) {
    totals_add(ns_root, info);
    ledger_recall(&ns_root->ledger);
    info->cpus = arch_cpu_count();
    info->memory_pages = (u64)ns_root->ledger.drawn_pages;
    info->memory_free_pages = (u64)ns_root->ledger.idle_pages;
    info->memory_shared_pages = page_withheld_count();
    info->threads = ns_counted(ns_root, LEDGER_THREADS);
    info->uptime_ns = arch_time_ns();
    arch_build_id((char *)info->build_id, sizeof(info->build_id));
    return OK;
}

void sys_system_poweroff(struct object *, u32 status) {
    kprintf("power off, status %u\n", status);
    serial_drain();
    arch_poweroff(ARCH_POWEROFF);
}

status_t sys_system_trace(struct object *, struct user_out bytes, u64 *copied) {
    struct trace_entry entries[32];
    u64 count = min(bytes.size / sizeof(entries[0]), (u64)ARRAY_SIZE(entries));
    count = trace_copy(entries, count);
    *copied = count * sizeof(entries[0]);
    return user_copy_out(bytes.address, entries, *copied);
}

status_t sys_clock_get(u32 clock, u64 *now_ns) {
    *now_ns = arch_time_ns();
    if (clock == CL_CLOCK_REALTIME) *now_ns += arch_boot_wall_s() * NS_PER_S;
    return OK;
}

status_t sys_clock_scale(u64 *tsc_base, u64 *ns_per_tsc, u64 *wall_ns) {
    arch_time_scale(tsc_base, ns_per_tsc);
    *wall_ns = arch_boot_wall_s() * NS_PER_S;
    return OK;
}

status_t sys_random_get(struct user_out bytes) {
    u8 buffer[256];
    random_bytes(buffer, bytes.size);
    status_t status = user_copy_out(bytes.address, buffer, bytes.size);
    random_wipe(buffer, sizeof(buffer));
    return status;
}

// Pays from the namespace's bytes for this second.
static bool log_pay(struct namespace *ns, u64 size) {
    u64 second = arch_time_ns() / NS_PER_S;
    lock_acquire(&ns->lock);
    if (ns->log_second != second) {
        ns->log_second = second;
        ns->log_used = 0;
    }
    bool can_pay = ns->log_used + size <= ns->log_limit;
    if (can_pay) ns->log_used += size;
    lock_release(&ns->lock);
    return can_pay;
}

status_t sys_log_write(struct user_in bytes) {
    char text[1024 + 1];
    struct namespace *ns = ns_current();
    enum : u32 { LOG_PREFIX = 32 };
    if (!serial_log_has_room(bytes.size + LOG_PREFIX)) return ERR_SHOULD_WAIT;
    if (!log_pay(ns, bytes.size)) return ERR_SHOULD_WAIT;
    status_t status = user_copy_in(text, bytes.address, bytes.size);
    if (status != OK) return status;
    usize size = bytes.size;
    while (size > 0 && text[size - 1] == '\n')
        size--;
    // One line, and nothing that a terminal would take for an order.
    for (usize i = 0; i < size; i++)
        if ((u8)text[i] < 0x20 || text[i] == 0x7f) text[i] = '.';
    text[size] = 0;
    kprintf("[%lu] %s\n", ns->base.koid, text);
    return OK;
}
