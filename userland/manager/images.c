#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/string.h"
#include "manager/images.h"

enum : u32 {
    IMAGE_RIGHTS = RIGHT_READ | RIGHT_EXECUTE | RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_INSPECT,
};
static const char image_head[] = "cloister-image 1\n";
static const char image_folder[] = "images/";
static const char id_folder[] = "ids/";

static u32 images_count;
static struct image images[IMAGES_MAX];

bool name_is_valid(const char *name) {
    usize size = strlen(name);
    for (usize i = 0; i < size; i++) {
        bool is_letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z');
        bool is_digit = name[i] >= '0' && name[i] <= '9';
        if (!is_letter && !is_digit && (i == 0 || !strchr("_.-", name[i]))) {
            return false;
        }
    }
    return size > 0 && size <= MANAGER_NAME_MAX;
}

// Reads the image's last page. The last byte is made a zero.
static status_t text_load(struct image *image) {
    struct cl_object_info info;
    u64 page;
    status_t status = object_info(image->memobj, &info);
    if (status == OK) {
        status = aspace_map(0, 0, 0, 0, PAGE_SIZE, CL_MAP_READ | CL_MAP_WRITE, &page);
    }
    if (status != OK) {
        return status;
    }
    char *text = (char *)page;
    status = memobj_read(image->memobj, info.detail[0] - PAGE_SIZE, text, PAGE_SIZE);
    if (status != OK) {
        aspace_unmap(0, page, PAGE_SIZE);
        return status;
    }
    text[PAGE_SIZE - 1] = 0;
    image->text = text;
    return OK;
}

static void native_read(struct image *image) {
    u32 size = 0;
    const char *program = image_line(image, "native", NULL, &size);
    memset(image->native, 0, sizeof(image->native));
    image->needs_nest = image_line(image, "needs", NULL, &(u32){}) != NULL;
    if (program) memcpy(image->native, program, min((usize)size, sizeof(image->native) - 1));
}

static bool image_load(struct image *image, struct problem *problem) {
    status_t status = text_load(image);
    if (status != OK) {
        return problem_set(problem, CONTAINER_STATUS_OURS, "image %s can't be read: %s",
                           image->name, cl_error_name(status));
    }
    if (strncmp(image->text, image_head, sizeof(image_head) - 1) != 0) {
        aspace_unmap(0, (u64)image->text, PAGE_SIZE);
        return problem_set(problem, CONTAINER_STATUS_OURS,
                           "image %s is damaged: its last page is not an image's text",
                           image->name);
    }
    native_read(image);
    return true;
}

static const struct image *image_open(const char *name, struct problem *problem) {
    char path[CL_NAME_MAX + 1];
    struct image *image = &images[images_count];
    usize size = format_text(path, sizeof(path), "%s%s", image_folder, name);
    status_t status = ERR_NO_RESOURCES;
    if (images_count < IMAGES_MAX) {
        status = ns_open(manager.names, path, (u32)size, IMAGE_RIGHTS, &image->memobj);
    }
    if (status == ERR_NOT_FOUND) {
        problem_set(problem, CONTAINER_STATUS_OURS,
                    "there is no image %s (`images` lists those that there are)", name);
    } else if (status != OK) {
        problem_set(problem, CONTAINER_STATUS_OURS, "image %s can't be opened: %s", name,
                    cl_error_name(status));
    }
    if (status != OK) {
        return NULL;
    }
    memcpy(image->name, name, strlen(name) + 1);
    if (!image_load(image, problem)) {
        handle_close(image->memobj);
        return NULL;
    }
    images_count++;
    return image;
}

const struct image *image_find(const char *name, struct problem *problem) {
    for (u32 i = 0; i < images_count; i++) {
        if (strcmp(images[i].name, name) == 0) {
            return &images[i];
        }
    }
    if (!name_is_valid(name)) {
        problem_set(problem, CONTAINER_STATUS_OURS,
                    "`%.64s` can't be an image's name: use letters, digits, `.`, `_` and `-`",
                    name);
        return NULL;
    }
    return image_open(name, problem);
}

const char *image_line(const struct image *image, const char *key, const char *previous,
                       u32 *size) {
    usize key_size = strlen(key);
    const char *at = previous ? previous : image->text;
    while ((at = strchr(at, '\n'))) {
        at++;
        if (strncmp(at, key, key_size) == 0 && at[key_size] == ' ') {
            const char *value = at + key_size + 1;
            const char *end = strchr(value, '\n');
            *size = (u32)(end ? (usize)(end - value) : strlen(value));
            return value;
        }
    }
    return NULL;
}

// The id under which the store has the object of this koid.
static void id_find(u64 koid, struct manager_image *image) {
    struct cl_ns_entry entry;
    u64 position = 0;
    while (ns_list(manager.names, position, &entry, &position) == OK) {
        usize folder = sizeof(id_folder) - 1;
        if (entry.koid == koid && entry.name_size > folder &&
            memcmp(entry.name, id_folder, folder) == 0) {
            memcpy(image->id, entry.name + folder,
                   min((usize)entry.name_size - folder, sizeof(image->id) - 1));
            return;
        }
    }
}

static void image_describe(const struct cl_ns_entry *entry, struct manager_image *image) {
    usize folder = sizeof(image_folder) - 1;
    struct cl_object_info info;
    handle_t memobj;
    memset(image, 0, sizeof(*image));
    memcpy(image->name, entry->name + folder,
           min((usize)entry->name_size - folder, sizeof(image->name) - 1));
    if (ns_open(manager.names, (const char *)entry->name, entry->name_size, RIGHT_INSPECT,
                &memobj) != OK) {
        return;
    }
    if (object_info(memobj, &info) == OK) {
        image->size_bytes = info.detail[0];
        image->resident_pages = info.detail[1];
    }
    handle_close(memobj);
    id_find(entry->koid, image);
}

bool image_next(u64 *position, struct manager_image *image) {
    struct cl_ns_entry entry;
    while (ns_list(manager.names, *position, &entry, position) == OK) {
        usize folder = sizeof(image_folder) - 1;
        if (entry.name_size > folder && memcmp(entry.name, image_folder, folder) == 0) {
            image_describe(&entry, image);
            return true;
        }
    }
    return false;
}

static status_t image_give(handle_t ns, const struct cl_ns_entry *entry) {
    static const struct cl_acl access = {.everyone = IMAGE_RIGHTS};
    handle_t memobj;
    const char *name = (const char *)entry->name;
    status_t status = ns_open(manager.names, name, entry->name_size, IMAGE_RIGHTS, &memobj);
    if (status != OK) return status;
    status = ns_bind(ns, name, entry->name_size, memobj, &access);
    handle_close(memobj);
    return status;
}

status_t images_give(handle_t ns) {
    struct cl_ns_entry entry;
    u64 position = 0;
    status_t status = OK;
    while (status == OK && ns_list(manager.names, position, &entry, &position) == OK)
        if (entry.object_type == OBJ_MEMOBJ) status = image_give(ns, &entry);
    return status;
}

// Decimal digits up to a colon or the end of the line.
static bool uid_read(const char *text, u32 *uid) {
    u64 number = 0;
    u32 digits = 0;
    for (; *text >= '0' && *text <= '9' && number < ~0u; text++, digits++)
        number = number * 10 + (u64)(*text - '0');
    *uid = (u32)number;
    return digits > 0 && number < ~0u && (*text == 0 || *text == ':' || *text == '\n');
}

u32 image_user(const struct image *image, const char *text) {
    u32 uid = CL_USER_ROOT;
    u32 line_size;
    const char *line = NULL;
    if (!text || uid_read(text, &uid)) return uid;
    const char *colon = strchr(text, ':');
    usize size = colon ? (usize)(colon - text) : strlen(text);
    while ((line = image_line(image, "user", line, &line_size)))
        if (line_size > size && strncmp(line, text, size) == 0 && line[size] == ':' &&
            uid_read(line + size + 1, &uid))
            return uid;
    return USER_NOBODY;
}
