// /proc/sys: settings, most of which can only be read.
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/proc_node.h"
#include "linux/kernel_if.h"
#include "linux/system.h"

void proc_print_setting(struct text *text, const struct proc_node *node) {
    text_print(text, "%s\n", node->entry->target);
}

void proc_print_hostname(struct text *text, const struct proc_node *) {
    text_print(text, "%s\n", system_hostname);
}

// One line, without its end.
i64 proc_store_hostname(const struct proc_node *, const char *bytes, usize size) {
    usize length = min(size, (usize)SYSTEM_HOSTNAME_MAX);
    const char *end = memchr(bytes, '\n', length);
    length = end ? (usize)(end - bytes) : length;
    memcpy(system_hostname, bytes, length);
    system_hostname[length] = 0;
    return (i64)size;
}

i64 proc_store_nothing(const struct proc_node *, const char *, usize size) { return (i64)size; }

// Random ids, version 4.
static void print_uuid(struct text *text, const u8 *bytes) {
    for (u32 i = 0; i < 16; i++) {
        u32 byte = i == 6   ? (bytes[i] & 0x0fU) | 0x40
                   : i == 8 ? (bytes[i] & 0x3fU) | 0x80
                            : bytes[i];
        bool has_dash = i == 4 || i == 6 || i == 8 || i == 10;
        text_print(text, "%s%02x", has_dash ? "-" : "", byte);
    }
    text_print(text, "\n");
}

void proc_print_uuid(struct text *text, const struct proc_node *) {
    u8 bytes[16];
    kernel_random(bytes, sizeof(bytes));
    print_uuid(text, bytes);
}

// The same as long as the container lives.
void proc_print_boot_id(struct text *text, const struct proc_node *) {
    static struct mutex lock;
    static u8 bytes[16] GUARDED_BY(&lock);
    static bool is_chosen GUARDED_BY(&lock);
    u8 copy[16];
    mutex_lock(&lock);
    if (!is_chosen) {
        kernel_random(bytes, sizeof(bytes));
        is_chosen = true;
    }
    memcpy(copy, bytes, sizeof(copy));
    mutex_unlock(&lock);
    print_uuid(text, copy);
}
