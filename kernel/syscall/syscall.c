// The hand-written rest of decoding.
#include "syscall/syscall.h"

#include "arch/arch.h"
#include "lib/string.h"

static bool part_is_valid(const char *part, u32 size) {
    bool is_dots = (size == 1 && part[0] == '.') || (size == 2 && part[0] == '.' && part[1] == '.');
    return size != 0 && !is_dots;
}

static bool path_is_valid(const char *text, u32 size) {
    u32 part_start = 0;
    for (u32 i = 0; i < size; i++) {
        u8 byte = (u8)text[i];
        if (byte < 0x20 || byte == 0x7f) return false;
        if (byte != '/') continue;
        if (!part_is_valid(text + part_start, i - part_start)) return false;
        part_start = i + 1;
    }
    return part_is_valid(text + part_start, size - part_start);
}

status_t name_path_copy_in(struct name_path *path, u64 address, u64 size) {
    if (size == 0 || size > CL_NAME_MAX) return ERR_INVALID_ARGUMENT;
    status_t status = user_copy_in(path->text, address, size);
    if (status != OK) return status;
    path->size = (u32)size;
    path->text[size] = 0;
    return path_is_valid(path->text, path->size) ? OK : ERR_INVALID_ARGUMENT;
}

void syscall_unknown(struct syscall_args *args) { args->status = ERR_BAD_SYSCALL; }
