#include "cloister.h"

#include "lib/bundle.h"
#include "lib/string.h"

status_t bundle_file_at(handle_t bundle, u32 index, struct bundle_file *file) {
    struct bundle_header header;
    struct cl_object_info info;
    status_t status = memobj_read(bundle, 0, &header, sizeof(header));
    if (status != OK || (status = object_info(bundle, &info)) != OK) {
        return status;
    }
    if (memcmp(header.magic, "CLOISBUN", 8) != 0 || header.version != 3) {
        return ERR_INVALID_ARGUMENT;
    }
    if (index >= min(header.count, (u32)BUNDLE_FILES_MAX)) {
        return ERR_NOT_FOUND;
    }
    status = memobj_read(bundle, sizeof(header) + (u64)index * sizeof(*file), file, sizeof(*file));
    if (status != OK) {
        return status;
    }
    file->name[BUNDLE_NAME_MAX] = 0;
    u64 room = info.detail[0];
    bool is_inside = file->offset % PAGE_SIZE == 0 && file->offset <= room &&
                     file->size_bytes <= room - file->offset;
    return is_inside ? OK : ERR_INVALID_ARGUMENT;
}

status_t bundle_find(handle_t bundle, const char *name, struct bundle_file *file) {
    status_t status = OK;
    for (u32 index = 0; status == OK; index++) {
        status = bundle_file_at(bundle, index, file);
        if (status == OK && strcmp(file->name, name) == 0) {
            return OK;
        }
    }
    return status;
}
