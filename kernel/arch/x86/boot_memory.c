// What the boot loader says of the machine (PVH start info, Xen's hvm/start_info.h), and the
// allocator used until the kernel's own takes over.
//
// The allocator takes whole pages upwards from the end of the kernel image, in the range of RAM
// that the image is in. arch_boot_memory() hands the rest to the page allocator, but for a reserve
// that page tables of the device area are made of later.
// Never given away: what is below the image (firmware data, trampoline), the image, the bundle.
#include "cpu.h"
#include "lib/print.h"
#include "lib/string.h"

enum : u32 { START_INFO_MAGIC = 0x336ec578 };
enum : u32 { MEMORY_RAM = 1, MEMORY_ACPI = 3, MEMORY_NVS = 4 };
enum { MEMORY_MAP_MAX = 64, COMMAND_LINE_MAX = 2048, RESERVE_PAGES = 16 };

struct start_info {
    u32 magic, version, flags, module_count;
    u64 modules, command_line, rsdp;
    u64 memory_map; // from version 1
    u32 memory_map_count, reserved;
};

struct start_module {
    u64 paddr, size, command_line, reserved;
};

struct memory_entry {
    u64 paddr, size;
    u32 type, reserved;
};

extern u8 image_end[];

static struct memory_entry memory_map[MEMORY_MAP_MAX];
static u32 memory_map_count;
static char command_line[COMMAND_LINE_MAX];
u64 boot_rsdp;
static struct arch_range bundle;
static u64 boot_next; // the next page of the boot allocator
static u64 boot_end;

// The boot allocator's room: from the image to the end of its range, or to the bundle.
static void boot_allocator_init(void) {
    boot_next = align_up(arch_paddr(image_end), PAGE_SIZE);
    for (u32 i = 0; i < memory_map_count; i++) {
        struct memory_entry *e = &memory_map[i];
        if (e->type == MEMORY_RAM && e->paddr <= boot_next && boot_next < e->paddr + e->size)
            boot_end = align_down(e->paddr + e->size, PAGE_SIZE);
    }
    if (bundle.size && bundle.paddr >= boot_next && bundle.paddr < boot_end)
        boot_end = align_down(bundle.paddr, PAGE_SIZE);
}

void boot_memory_init(u64 start_info_paddr) {
    const struct start_info *info = arch_direct(start_info_paddr);
    if (start_info_paddr >= GIB(1) || info->magic != START_INFO_MAGIC || info->version < 1)
        panic("the boot loader gave no PVH start info with a memory map");
    memory_map_count = min(info->memory_map_count, (u32)MEMORY_MAP_MAX);
    memcpy(memory_map, arch_direct(info->memory_map), memory_map_count * sizeof(memory_map[0]));
    if (info->command_line)
        ksnprintf(command_line, sizeof(command_line), "%s",
                  (const char *)arch_direct(info->command_line));
    boot_rsdp = info->rsdp;
    if (info->module_count) {
        const struct start_module *module = arch_direct(info->modules);
        bundle = (struct arch_range){module->paddr, module->size};
    }
    boot_allocator_init();
}

u64 boot_page_alloc(void) {
    if (boot_next >= boot_end) panic("not enough memory to boot");
    u64 paddr = boot_next;
    boot_next += PAGE_SIZE;
    page_zero(arch_direct(paddr));
    return paddr;
}

void boot_memory_regions(void (*region)(u64 paddr, u64 size)) {
    for (const struct memory_entry *e = memory_map; e < memory_map + memory_map_count; e++) {
        u64 begin = align_down(e->paddr, MIB(2));
        if (e->type == MEMORY_RAM || e->type == MEMORY_ACPI || e->type == MEMORY_NVS)
            region(begin, align_up(e->paddr + e->size, MIB(2)) - begin);
    }
}

void arch_boot_memory(void (*add)(u64 paddr, u64 size)) {
    u64 bundle_begin = align_down(bundle.paddr, PAGE_SIZE);
    u64 bundle_end = align_up(bundle.paddr + bundle.size, PAGE_SIZE);
    boot_end = min(boot_end, boot_next + RESERVE_PAGES * PAGE_SIZE);
    for (const struct memory_entry *e = memory_map; e < memory_map + memory_map_count; e++) {
        if (e->type != MEMORY_RAM) continue;
        u64 begin = max(align_up(e->paddr, PAGE_SIZE), boot_end);
        u64 end = align_down(e->paddr + e->size, PAGE_SIZE);
        u64 low_end = min(end, bundle_begin);
        u64 high_begin = max(begin, bundle_end);
        if (begin < low_end) add(begin, low_end - begin);
        if (high_begin < end) add(high_begin, end - high_begin);
    }
}

u64 arch_memory_end(void) {
    u64 end = 0;
    for (u32 i = 0; i < memory_map_count; i++) {
        if (memory_map[i].type == MEMORY_RAM)
            end = max(end, memory_map[i].paddr + memory_map[i].size);
    }
    return align_down(end, PAGE_SIZE);
}

void *arch_boot_bundle(u64 *size) {
    *size = bundle.size;
    return bundle.size ? arch_direct(bundle.paddr) : nullptr;
}

const char *arch_command_line(void) { return command_line; }

// The comparison ends at the first difference, and so within the line.
bool boot_option(const char *text) {
    for (const char *at = command_line; *at; at++)
        if (memcmp(at, text, strlen(text)) == 0) return true;
    return false;
}
