// The image store: reads the disk's partition table and gives each container image a name in its
// own namespace, `images/NAME`, bound to a read-only memory object that the disk fills on demand,
// and another, `ids/GUID`, for the same object. Who holds a handle of the namespace opens them; no
// further protocol is needed. The objects are charged here, once for all containers.
//
// What is wrong with a disk, a table or a partition is one line of the log; the rest is served.
// When all is bound it sends `ready` on its bootstrap channel, and then waits for ever.
#include "cloister.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/message.h"
#include "lib/startup.h"
#include "lib/string.h"
#include "storage/disk.h"

enum : u32 {
    IMAGE_RIGHTS = RIGHT_READ | RIGHT_EXECUTE | RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_INSPECT,
};

static u32 images_count; // of outside
static const char image_prefix[] = "image:";
// c1015734-1ad3-4e5f-9b1c-6d61676520ff, as the disk has it.
static const u8 image_type[16] = {0x34, 0x57, 0x01, 0xc1, 0xd3, 0x1a, 0x5f, 0x4e,
                                  0x9b, 0x1c, 0x6d, 0x61, 0x67, 0x65, 0x20, 0xff};

static bool image_name_is_valid(const char *name) {
    if (*name == 0 || *name == '.' || *name == '-') {
        return false;
    }
    for (; *name; name++) {
        bool is_letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
        if (!is_letter && !(*name >= '0' && *name <= '9') && !strchr("._-", *name)) {
            return false;
        }
    }
    return true;
}

static const char *image_check(const struct gpt_entry *entry) {
    if (strncmp(entry->name, image_prefix, sizeof(image_prefix) - 1) != 0 ||
        !image_name_is_valid(entry->name + sizeof(image_prefix) - 1)) {
        return "its name is not image:NAME with NAME of letters, digits, `.`, `_` and `-`";
    }
    if (entry->first_sector * GPT_SECTOR_BYTES % PAGE_SIZE != 0 ||
        entry->sectors * GPT_SECTOR_BYTES % PAGE_SIZE != 0) {
        return "it does not begin and end at a multiple of 4096 bytes";
    }
    return entry->sectors * GPT_SECTOR_BYTES < 2 * PAGE_SIZE ? "it is too small" : NULL;
}

static status_t image_bind(handle_t ns, handle_t memobj, const char *folder, const char *name) {
    char path[CL_NAME_MAX + 1];
    static const struct cl_acl access = {.everyone = IMAGE_RIGHTS};
    usize size = format_text(path, sizeof(path), "%s/%s", folder, name);
    return ns_bind(ns, path, (u32)size, memobj, &access);
}

// A read-only memory object of the partition. Its handles stay open for the life of this process.
static status_t image_open(handle_t block, const struct gpt_entry *entry, handle_t *image) {
    handle_t part, memobj;
    u64 size = entry->sectors * GPT_SECTOR_BYTES;
    status_t status = block_range(block, 0, entry->first_sector * GPT_SECTOR_BYTES, size, &part);
    if (status != OK) {
        return status;
    }
    status = memobj_create_block(0, part, 0, size, &memobj);
    if (status == OK) {
        status = handle_duplicate(memobj, IMAGE_RIGHTS, image);
    }
    return status;
}

static void image_serve(handle_t ns, handle_t block, const struct gpt_entry *entry) {
    const char *problem = image_check(entry);
    if (problem) {
        log_line("storage: partition `%s` is left out: %s", entry->name, problem);
        return;
    }
    handle_t image;
    char guid[GUID_TEXT_BYTES];
    guid_format(guid, entry->unique);
    status_t status = image_open(block, entry, &image);
    if (status == OK) {
        status = image_bind(ns, image, "images", entry->name + sizeof(image_prefix) - 1);
    }
    if (status == OK) {
        status = image_bind(ns, image, "ids", guid);
    }
    if (status != OK) {
        log_line("storage: partition `%s` is left out: %s", entry->name, cl_error_name(status));
    }
}

static void images_serve(handle_t ns, handle_t block, const struct gpt *gpt,
                         const struct gpt_disk *disk) {
    for (u32 index = 0; index < gpt->entries_count; index++) {
        struct gpt_entry entry;
        const char *problem = "";
        enum gpt_verdict verdict = gpt_entry_read(gpt, disk, index, &entry, &problem);
        if (verdict == GPT_ENTRY_BAD) {
            log_line("storage: partition %u `%s` is left out: %s", index + 1, entry.name, problem);
        } else if (verdict == GPT_ENTRY_GOOD && memcmp(entry.type, image_type, 16) == 0) {
            image_serve(ns, block, &entry);
        }
    }
}

static void disk_serve(handle_t ns, handle_t block) {
    struct gpt_disk disk;
    struct gpt gpt;
    const char *problem;
    status_t status = disk_open(&disk, block);
    if (status != OK) {
        log_line("storage: the disk can't be read: %s", cl_error_name(status));
        return;
    }
    bool is_open = gpt_open(&gpt, &disk, &problem);
    if (gpt.primary_problem) {
        log_line("storage: the disk's partition table is damaged: %s", gpt.primary_problem);
        log_line("storage: its copy at the end of the disk: %s", problem ? problem : "taken");
    }
    if (is_open) {
        images_serve(ns, block, &gpt, &disk);
    }
}

// Binds what is bound outside under the same name: in a container the images are there already.
static void outside_serve(handle_t ns, handle_t outside) {
    struct cl_ns_entry entry;
    u64 position = 0;
    static const struct cl_acl access = {.everyone = IMAGE_RIGHTS};
    while (ns_list(outside, position, &entry, &position) == OK) {
        char *name = (char *)entry.name;
        name[entry.name_size] = 0;
        handle_t image;
        if (entry.object_type != OBJ_MEMOBJ) continue;
        status_t status = ns_open(outside, name, entry.name_size, IMAGE_RIGHTS, &image);
        if (status == OK) status = ns_bind(ns, name, entry.name_size, image, &access);
        if (status != OK)
            log_line("storage: `%s` of outside is left out: %s", name, cl_error_name(status));
        else
            images_count++;
    }
}

int main(struct startup *startup) {
    handle_t block = startup_handle(startup, "block0");
    handle_t ns = startup_handle(startup, "ns");
    outside_serve(ns, startup_handle(startup, "outside"));
    if (block) {
        disk_serve(ns, block);
    } else if (images_count == 0) {
        log_line("storage: there is no disk, and so there are no images");
    }
    message_send(startup->bootstrap, "ready", 5, NULL, 0);
    u32 observed;
    while (object_wait(startup->bootstrap, SIGNAL_PEER_CLOSED, 0, CL_DEADLINE_NEVER, &observed) !=
           OK) {
    }
    return 0;
}
