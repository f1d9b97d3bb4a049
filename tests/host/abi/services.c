// Runs a generated decoding with fake services. Each line of standard input is one call (number and
// up to six arguments); each line of output is what happened: the services used, what the handlers
// print (toy_handlers.c, or none that print), the status and the out values.
//
// Handles: 0x80000000 | type << 20 | rights; 0x40000000 is dead. User memory: MEMORY_BASE, two pages
// that can be written, then one that can only be read.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "object/handle.h"
#include "syscall/syscall.h"

enum : u64 { MEMORY_BASE = 0x7f8000010000, MEMORY_PAGE = 4096 };

static u8 memory[3 * MEMORY_PAGE];
static struct object objects[16];
static u32 object_count;
struct object *object_new(u32 type);
status_t handler_status;
static status_t table_status; // what handles_reserve returns

static bool in_memory(u64 address, u64 size, u64 room) {
    return address >= MEMORY_BASE && size <= room && address - MEMORY_BASE <= room - size;
}

status_t arch_copy_from_user(void *to, u64 address, usize size) {
    printf(" in(%lx,%lu)", address, size);
    if (!in_memory(address, size, sizeof(memory))) return ERR_BAD_POINTER;
    memcpy(to, memory + (address - MEMORY_BASE), size);
    return OK;
}

status_t user_copy_out(u64 address, const void *from, usize size) {
    printf(" out(%lx,%lu)", address, size);
    if (!in_memory(address, size, 2 * MEMORY_PAGE)) return ERR_BAD_POINTER;
    memcpy(memory + (address - MEMORY_BASE), from, size);
    return OK;
}

status_t user_probe_write(u64 address, usize size) {
    printf(" probe(%lx,%lu)", address, size);
    return in_memory(address, size, 2 * MEMORY_PAGE) ? OK : ERR_BAD_POINTER;
}

status_t name_path_copy_in(struct name_path *path, u64 address, usize size) {
    printf(" name(%lx,%lu)", address, size);
    if (!in_memory(address, size, sizeof(memory))) return ERR_BAD_POINTER;
    path->size = (u32)size;
    return OK;
}

struct object *object_new(u32 type) {
    struct object *object = &objects[object_count++];
    *object = (struct object){.type = type, .refs = 1};
    return object;
}

status_t handle_get(handle_t handle, u32 type_mask, u32 rights, struct object **out) {
    u32 type = handle >> 20 & 31;
    printf(" get(%u)", type);
    if (handle >> 30 == 1) return ERR_DEAD;
    if (handle >> 31 == 0) return ERR_BAD_HANDLE;
    if (!(type_mask & OBJ_MASK(type))) return ERR_WRONG_TYPE;
    if (rights & ~handle) return ERR_ACCESS_DENIED;
    *out = object_new(type);
    return OK;
}

status_t handle_get_info(handle_t handle, u32 type_mask, u32 rights, struct handle_info *out) {
    *out = (struct handle_info){.rights = handle & 0xfffff};
    return handle_get(handle, type_mask, rights, &out->object);
}

void handle_info_put(struct handle_info *info) { object_put(info->object); }

struct handle_table *handle_table_current(void) { return nullptr; }

// The first of several places is 100.
status_t handles_reserve(struct handle_table *table, u32 count, handle_t *values) {
    printf(" reserve(%u)", count);
    for (u32 i = 0; i < count; i++)
        values[i] = 100 + i;
    return table_status;
}

void handles_unreserve(struct handle_table *table, u32 count, const handle_t *values) {
    printf(" unreserve(%u,%u)", count, values[0]);
}

void handle_fill(struct handle_table *table, handle_t value, struct handle_info *what) {
    if (!what->object) return; // a handler that only prints
    printf(" fill(%u,%u/%x)", value, what->object->type, what->rights);
    what->object->refs--;
}

void handle_fill_new(struct handle_table *table, handle_t value, struct object *object) {
    if (!object) return;
    printf(" new(%u,%u)", value, object->type);
    object->refs--;
}

void object_put(struct object *object) {
    printf(" put(%u)", object->type);
    object->refs--;
}

void syscall_unknown(struct syscall_args *args) { args->status = ERR_BAD_SYSCALL; }

// `poke OFFSET BYTE…` writes to user memory, `status N` sets what handlers return, `table N` what
// setting places for handles aside does.
static bool setting(char *line) {
    char *word = strtok(line, " \n");
    if (!word ||
        (strcmp(word, "poke") != 0 && strcmp(word, "status") != 0 && strcmp(word, "table") != 0))
        return false;
    u64 value = strtoul(strtok(nullptr, " \n"), nullptr, 0);
    if (strcmp(word, "status") == 0)
        handler_status = (status_t)value;
    else if (strcmp(word, "table") == 0)
        table_status = (status_t)value;
    else
        for (char *byte; (byte = strtok(nullptr, " \n"));)
            memory[value++] = (u8)strtoul(byte, nullptr, 0);
    return true;
}

int main(void) {
    char line[512];
    while (fgets(line, sizeof(line), stdin)) {
        char copy[512];
        memcpy(copy, line, sizeof(line));
        if (setting(copy)) continue;
        struct syscall_args args = {};
        char *at = line;
        u64 number = strtoul(at, &at, 0);
        for (u32 i = 0; i < 6; i++)
            args.arg[i] = strtoul(at, &at, 0);
        object_count = 0;
        printf("%lu:", number);
        fflush(stdout);
        (number < syscall_count ? syscall_table[number] : syscall_unknown)(&args);
        printf(" = %ld %ld %ld %ld\n", args.status, (i64)args.out[0], (i64)args.out[1],
               (i64)args.out[2]);
        for (u32 i = 0; i < object_count; i++)
            if (objects[i].refs != 0) printf("LEAK\n");
    }
    return 0;
}
