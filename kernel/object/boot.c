// The first process. The boot bundle (format: docs/hacking.md): a header page with "CLOISBUN",
// u32 version 1, u32 count, then entries {char name[48]; u64 offset; u64 size}; files start on
// pages. `init` is an ELF64 executable whose segments are page-aligned in file and memory.
// It starts with a channel end in rdi, on which its start-up message waits: records ended by zero
// bytes, `h` and a name for each handle in order, then `a` and a word for each word of the kernel's
// command line.
#include "object/boot.h"

#include "arch/arch.h"
#include "drivers/netdev.h"
#include "lib/string.h"
#include "device/block.h"
#include "object/channel_boot.h"
#include "object/memobj.h"
#include "object/namespace.h"
#include "device/nic.h"
#include "object/process.h"
#include "device/serial.h"
#include "object/system.h"

struct bundle_header {
    char magic[8];
    u32 version;
    u32 count;
};

struct bundle_entry {
    char name[48];
    u64 offset;
    u64 size;
};

// ELF64, what of it is used (System V ABI, gABI chapter 4 and 5).
struct elf_header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, program_offset, section_offset;
    u32 flags;
    u16 header_size, program_size, program_count;
};

struct elf_segment {
    u32 type, flags;
    u64 offset, address, physical, file_size, memory_size, align;
};

enum : u32 { ELF_LOAD = 1, ELF_EXECUTE = 1, ELF_WRITE = 2, ELF_X86_64 = 62 };
enum : u64 { STACK_SIZE = KIB(64), STACK_TOP = CL_PROCESS_LIMIT - PAGE_SIZE };
enum { GIFTS_MAX = 8, TEXT_MAX = 1024 };

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

// ---- the bundle ----

static const struct bundle_entry *bundle_find(const void *bundle, u64 size, const char *name) {
    const struct bundle_header *header = bundle;
    BOOT_CHECK(bundle && size >= PAGE_SIZE, "no boot bundle (start with -initrd bundle.img)");
    BOOT_CHECK(memcmp(header->magic, "CLOISBUN", 8) == 0 && header->version == 1,
               "the boot bundle has the wrong magic or version");
    const struct bundle_entry *entries = (const void *)(header + 1);
    u64 room = (size - sizeof(*header)) / sizeof(*entries);
    for (u64 i = 0; i < min((u64)header->count, room); i++) {
        const struct bundle_entry *entry = &entries[i];
        if (strncmp(entry->name, name, sizeof(entry->name)) != 0) continue;
        BOOT_CHECK(entry->offset <= size && entry->size <= size - entry->offset &&
                       (entry->offset & PAGE_MASK) == 0,
                   "an entry lies outside the boot bundle");
        return entry;
    }
    panic("can't start init: the boot bundle has no entry '%s'", name);
}

// ---- loading ----

static u32 segment_flags(const struct elf_segment *segment) {
    return CL_MAP_READ | CL_MAP_EXACT | (segment->flags & ELF_WRITE ? CL_MAP_WRITE : 0) |
           (segment->flags & ELF_EXECUTE ? CL_MAP_EXECUTE : 0);
}

// A writable segment gets a memory object of its own, zero beyond the file's part.
static void segment_load(struct aspace *aspace, struct memobj *bundle, const u8 *file,
                         u64 file_offset, const struct elf_segment *segment) {
    struct memobj *object = bundle;
    struct aspace_map_args args = {
        .offset = file_offset + segment->offset,
        .address = segment->address,
        .size = align_up(segment->memory_size, PAGE_SIZE),
        .flags = segment_flags(segment),
        .allowed_rights = RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE,
    };
    if (segment->flags & ELF_WRITE) {
        BOOT_CHECK(memobj_create(ns_root, args.size >> PAGE_SHIFT, &object) == OK &&
                       memobj_write_kernel(object, 0, file + segment->offset, segment->file_size) ==
                           OK,
                   "no memory");
        args.offset = 0;
        args.flags |= CL_MAP_SHARED;
    }
    args.object = object;
    u64 mapped;
    BOOT_CHECK(aspace_map(aspace, &args, &mapped) == OK, "a segment can't be mapped");
    if (object != bundle) object_put(&object->base);
}

static u64 init_load(struct aspace *aspace, struct memobj *bundle, const void *bytes,
                     const struct bundle_entry *entry) {
    const u8 *file = (const u8 *)bytes + entry->offset;
    const struct elf_header *elf = (const void *)file;
    BOOT_CHECK(entry->size >= sizeof(*elf) && memcmp(elf->ident, "\177ELF\2\1", 6) == 0 &&
                   elf->machine == ELF_X86_64 && elf->program_size == sizeof(struct elf_segment),
               "it is no ELF64 executable for x86-64");
    u64 table_size = (u64)elf->program_count * sizeof(struct elf_segment);
    BOOT_CHECK(elf->program_offset <= entry->size &&
                   table_size <= entry->size - elf->program_offset,
               "its program headers lie outside the file");
    const struct elf_segment *segments = (const void *)(file + elf->program_offset);
    for (u32 i = 0; i < elf->program_count; i++) {
        const struct elf_segment *segment = &segments[i];
        if (segment->type != ELF_LOAD || segment->memory_size == 0) continue;
        BOOT_CHECK(segment->offset <= entry->size &&
                       segment->file_size <= entry->size - segment->offset &&
                       segment->file_size <= segment->memory_size &&
                       ((segment->offset | segment->address) & PAGE_MASK) == 0,
                   "a segment lies outside the file or is not page-aligned");
        segment_load(aspace, bundle, file, entry->offset, segment);
    }
    return elf->entry;
}

static void stack_map(struct aspace *aspace) {
    struct aspace_map_args args = {
        .address = STACK_TOP - STACK_SIZE,
        .size = STACK_SIZE,
        .flags = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXACT,
    };
    u64 mapped;
    BOOT_CHECK(aspace_map(aspace, &args, &mapped) == OK, "no memory for its stack");
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
static void gifts_send(struct gifts *gifts, struct channel *end) {
    u32 rights[GIFTS_MAX];
    for (u32 i = 0; i < gifts->count; i++)
        rights[i] = handle_full_rights(gifts->objects[i]->type);
    BOOT_CHECK(channel_post_kernel(end, gifts->text, gifts->text_size, gifts->objects, rights,
                                   gifts->count) == OK,
               "no memory for its start-up message");
    for (u32 i = 0; i < gifts->count; i++)
        if (gifts->objects[i] != &ns_root->base) object_put(gifts->objects[i]);
}

void boot_start_init(void) {
    u64 size;
    const void *bytes = arch_boot_bundle(&size);
    const struct bundle_entry *entry = bundle_find(bytes, size, "init");
    static struct gifts gifts;
    struct memobj *bundle;
    struct process *process;
    struct channel *ours, *theirs;
    static const struct cl_channel_options options;
    BOOT_CHECK(zero_page() &&
                   memobj_create_boot(ns_root, arch_paddr(bytes),
                                      align_up(size, PAGE_SIZE) >> PAGE_SHIFT, &bundle) == OK &&
                   process_create(ns_root, nullptr, &process) == OK &&
                   channel_create(ns_root, ns_root, &options, &ours, &theirs) == OK,
               "no memory");
    u64 entry_address = init_load(process->aspace, bundle, bytes, entry);
    stack_map(process->aspace);
    gifts_collect(&gifts, bundle);
    gifts_send(&gifts, theirs);
    struct arch_user_start start = {.ip = entry_address, .sp = STACK_TOP};
    handle_t bootstrap;
    BOOT_CHECK(
        handle_create_in(process, &theirs->base, handle_full_rights(OBJ_CHANNEL), &bootstrap) == OK,
        "no memory");
    start.arg[0] = bootstrap;
    BOOT_CHECK(process_start(process, &start, CL_HANDLE_INVALID) == OK, "no memory");
    object_put(&theirs->base);
    object_put(&ours->base); // its messages stay readable; nobody will send more
    object_put(&process->base);
}
