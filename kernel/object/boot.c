// The first process. The boot bundle (pybuild/bundle.py) says in its first page what is mapped of it
// for `init`, and where that begins; the build has read the ELF.
// It starts with a channel end in rdi, on which its start-up message waits: records ended by zero
// bytes, `h` and a name for each handle in order, then `a` and a word for each word of the kernel's
// command line.
#include "object/boot.h"

#include "arch/arch.h"
#include "kernel/handlers.h"
#include "drivers/netdev.h"
#include "lib/string.h"
#include "device/block.h"
#include "object/channel.h"
#include "object/memobj.h"
#include "object/namespace.h"
#include "device/nic.h"
#include "object/process.h"
#include "device/serial.h"
#include "object/system.h"

enum { GIFTS_MAX = 8, TEXT_MAX = 1024, BUNDLE_VERSION = 2, BUNDLE_MAPPINGS = 8 };

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
};

// What init is given, and the text of its start-up message.
struct gifts {
    struct object *objects[GIFTS_MAX];
    u32 count;
    char text[TEXT_MAX];
    u32 text_size;
};

#define BOOT_CHECK(condition, reason)                            \
    do {                                                         \
        if (!(condition)) panic("can't start init: %s", reason); \
    } while (0)

// ---- loading ----

static const struct bundle_header *bundle_header(const void *bundle, u64 size) {
    const struct bundle_header *header = bundle;
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

static void text_add(struct gifts *gifts, char kind, const char *word, usize size) {
    BOOT_CHECK(gifts->text_size + size + 2 <= TEXT_MAX, "the command line is too long");
    gifts->text[gifts->text_size++] = kind;
    memcpy(gifts->text + gifts->text_size, word, size);
    gifts->text_size += (u32)size;
    gifts->text[gifts->text_size++] = 0;
}

static void gift_add(struct gifts *gifts, const char *name, void *object) {
    gifts->objects[gifts->count++] = object;
    text_add(gifts, 'h', name, strlen(name));
}

static void arguments_add(struct gifts *gifts) {
    const char *line = arch_command_line();
    while (*line) {
        usize size = 0;
        while (line[size] && line[size] != ' ')
            size++;
        if (size) text_add(gifts, 'a', line, size);
        line += size + (line[size] == ' ');
    }
}

static void gifts_collect(struct gifts *gifts, struct memobj *bundle) {
    struct system *system;
    struct serial *serial;
    struct block *block;
    struct nic *nic;
    gift_add(gifts, "ns", ns_root);
    if (system_create(&system) == OK) gift_add(gifts, "system", system);
    if (serial_create(0, &serial) == OK) gift_add(gifts, "console", serial);
    if (serial_create(1, &serial) == OK) gift_add(gifts, "command", serial);
    gift_add(gifts, "bundle", bundle);
    struct blockdev *disk = blockdev_get(0);
    if (disk && block_create(ns_root, disk, 0, disk->sectors * BLOCK_SECTOR_SIZE, &block) == OK)
        gift_add(gifts, "block0", block);
    struct netdev *card = netdev_get(0);
    if (card && nic_create(card, &nic) == OK) gift_add(gifts, "nic0", nic);
    arguments_add(gifts);
}

// The start-up message, queued at `end`. What was created for it is only in its handles now.
static void gifts_send(struct gifts *gifts, struct channel *end, struct channel *sender) {
    u32 charge = message_charge(gifts->text_size, gifts->count);
    struct message *message =
        message_alloc(&ns_root->ledger, end, gifts->text_size, gifts->count, charge);
    BOOT_CHECK(message, "no memory for its start-up message");
    memcpy(message_start(message), gifts->text, gifts->text_size);
    message->bytes_size = gifts->text_size;
    message->handles_count = (u8)gifts->count;
    for (u32 i = 0; i < gifts->count; i++) {
        struct object *object = gifts->objects[i];
        struct handle_info what = {.object = object, .rights = object_rights[object->type]};
        handle_slot_fill(&message->handles[i], &end->holder, &what);
        if (object != &ns_root->base) object_put(object);
    }
    BOOT_CHECK(channel_post(end, sender, message) == OK, "its start-up message is too large");
}

void boot_start_init(void) {
    u64 size;
    const void *bytes = arch_boot_bundle(&size);
    const struct bundle_header *header = bundle_header(bytes, size);
    static struct gifts gifts;
    struct memobj *bundle;
    struct process *process;
    struct channel *ours, *theirs;
    static const struct cl_channel_options options;
    BOOT_CHECK(memobj_create_boot(ns_root, arch_paddr(bytes),
                                  align_up(size, PAGE_SIZE) >> PAGE_SHIFT, &bundle) == OK &&
                   process_create(ns_root, nullptr, &process) == OK &&
                   sys_channel_create(ns_root, ns_root, &options, &ours, &theirs) == OK,
               "no memory");
    for (u32 i = 0; i < BUNDLE_MAPPINGS; i++)
        if (header->mappings[i].size) init_map(process->aspace, bundle, &header->mappings[i]);
    gifts_collect(&gifts, bundle);
    gifts_send(&gifts, theirs, ours);
    struct arch_user_start start = {.ip = header->entry, .sp = header->stack_top};
    handle_t bootstrap;
    BOOT_CHECK(handles_reserve(&process->handles, 1, &bootstrap) == OK, "no memory");
    handle_fill_new(&process->handles, bootstrap, &theirs->base);
    start.arg[0] = bootstrap;
    BOOT_CHECK(process_start(process, &start, CL_HANDLE_INVALID) == OK, "no memory");
    object_put(&ours->base); // its messages stay readable; nobody will send more
    object_put(&process->base);
}
