// The first process. The boot bundle (pybuild/bundle.py) says in its first page what is mapped of it
// for `init`, and where that begins; the build has read the ELF.
// The kernel adds there what init is given: handles and the command line. It starts with its handle
// to the bundle in rdi.
#include "object/boot.h"

#include "arch/arch.h"
#include "kernel/handlers.h"
#include "drivers/netdev.h"
#include "lib/string.h"
#include "device/block.h"
#include "object/memobj.h"
#include "object/namespace.h"
#include "device/nic.h"
#include "object/process.h"
#include "device/serial.h"
#include "object/system.h"

enum { BUNDLE_VERSION = 3, BUNDLE_MAPPINGS = 8, COMMAND_LINE_SIZE = 1024 };
enum gift { GIFT_NS, GIFT_SYSTEM, GIFT_CONSOLE, GIFT_COMMAND, GIFT_BUNDLE, GIFT_DISK, GIFT_NIC };
enum { GIFTS_MAX = 8 };

struct bundle_mapping {
    u64 address;
    u64 size;   // 0: none
    u64 offset; // in the bundle; 0: zeros
    u64 rights; // CL_MAP_READ, WRITE, EXECUTE
};

struct bundle_header {
    char magic[8];
    u32 version;
    u32 count;
    u64 entry, stack_top;
    struct bundle_mapping mappings[BUNDLE_MAPPINGS];
    // The kernel's part:
    handle_t handles[GIFTS_MAX]; // by enum gift; 0: there is none
    char command_line[COMMAND_LINE_SIZE];
};

#define BOOT_CHECK(condition, reason)                            \
    do {                                                         \
        if (!(condition)) panic("can't start init: %s", reason); \
    } while (0)

// ---- loading ----

static struct bundle_header *bundle_header(void *bundle, u64 size) {
    struct bundle_header *header = bundle;
    BOOT_CHECK(bundle && size >= PAGE_SIZE, "no boot bundle (start with -initrd bundle.img)");
    BOOT_CHECK(memcmp(header->magic, "CLOISBUN", 8) == 0 && header->version == BUNDLE_VERSION,
               "the boot bundle has the wrong magic or version");
    BOOT_CHECK(header->entry, "the boot bundle has no init");
    return header;
}

// Privately, so what is written to is a copy.
static void init_map(struct aspace *aspace, struct memobj *bundle,
                     const struct bundle_mapping *mapping) {
    struct handle_info info = {.object = &bundle->base, .rights = RIGHT_READ | RIGHT_EXECUTE};
    u64 mapped;
    BOOT_CHECK(((mapping->address | mapping->size | mapping->offset) & PAGE_MASK) == 0 &&
                   sys_aspace_map(aspace, mapping->offset ? &info : nullptr, mapping->offset,
                                  mapping->address, mapping->size,
                                  (u32)mapping->rights | CL_MAP_EXACT, &mapped) == OK,
               "a part of it can't be mapped");
}

// ---- what it is given ----

// Consumes the reference.
static void give(struct process *process, handle_t *handle, void *object) {
    BOOT_CHECK(handles_reserve(&process->handles, 1, handle) == OK, "no memory for its handles");
    handle_fill_new(&process->handles, *handle, object);
}

static void give_all(struct process *process, handle_t handles[GIFTS_MAX], struct memobj *bundle) {
    struct object *system;
    struct serial *serial;
    struct block *block;
    struct nic *nic;
    object_get(&ns_root->base);
    give(process, &handles[GIFT_NS], ns_root);
    give(process, &handles[GIFT_BUNDLE], bundle);
    if (system_create(&system) == OK) give(process, &handles[GIFT_SYSTEM], system);
    if (serial_create(0, &serial) == OK) give(process, &handles[GIFT_CONSOLE], serial);
    if (serial_create(1, &serial) == OK) give(process, &handles[GIFT_COMMAND], serial);
    struct blockdev *disk = blockdev_get(0);
    if (disk && block_create(ns_root, disk, 0, disk->sectors * BLOCK_SECTOR_SIZE, &block) == OK)
        give(process, &handles[GIFT_DISK], block);
    struct netdev *card = netdev_get(0);
    if (card && nic_create(card, &nic) == OK) give(process, &handles[GIFT_NIC], nic);
}

void boot_start_init(void) {
    u64 size;
    void *bytes = arch_boot_bundle(&size);
    struct bundle_header *header = bundle_header(bytes, size);
    struct memobj *bundle;
    struct process *process;
    BOOT_CHECK(memobj_create_boot(ns_root, arch_paddr(bytes),
                                  align_up(size, PAGE_SIZE) >> PAGE_SHIFT, &bundle) == OK &&
                   process_create(ns_root, nullptr, &process) == OK,
               "no memory");
    for (u32 i = 0; i < BUNDLE_MAPPINGS; i++)
        if (header->mappings[i].size) init_map(process->aspace, bundle, &header->mappings[i]);
    give_all(process, header->handles, bundle);
    BOOT_CHECK(ksnprintf(header->command_line, COMMAND_LINE_SIZE, "%s", arch_command_line()) <
                   COMMAND_LINE_SIZE,
               "the command line is too long");
    struct arch_user_start start = {.ip = header->entry, .sp = header->stack_top};
    start.arg[0] = header->handles[GIFT_BUNDLE];
    BOOT_CHECK(process_start(process, &start, CL_HANDLE_INVALID) == OK, "no memory");
    object_put(&process->base);
}
