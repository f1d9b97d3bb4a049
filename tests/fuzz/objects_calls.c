// Arguments out of bytes. Handles are chosen among those that the process has of a type that the
// call takes; every sixteenth choice is any number.
#include "objects.h"

#include "object/aspace.h"
#include "object/handle_table.h"
#include "object/process.h"

enum : u64 {
    PLACES = CL_PROCESS_BASE + MIB(64), // where own mappings go
    LINUX_PLACES = 0x40000000 - 32 * PAGE_SIZE,
    ROOM_HANDLES = 6, // pages of the rooms beyond one for each argument
};

struct call {
    struct bytes *bytes;
    u64 rooms;
    struct syscall_args args;
    u64 length; // of what the argument before points to
    u64 places; // where mappings go in the address space that is meant
};

u8 byte_take(struct bytes *bytes) {
    u8 byte = 0;
    if (!bytes->has_ended) bytes->has_ended = !bytes->next(bytes->state, &byte);
    return bytes->has_ended ? 0 : byte;
}

bool rooms_map(u64 *rooms) {
    u64 size = PAGES_OF_ROOMS * PAGE_SIZE;
    return sys_aspace_map(process_current()->aspace, nullptr, 0, CL_PROCESS_BASE + MIB(1), size,
                          CL_MAP_READ | CL_MAP_WRITE, rooms) == OK;
}

// ---- handles ----

static bool slot_suits(const struct handle *slot, u32 mask) {
    return slot->object ? (mask == 0 || mask >> slot->object->type & 1) : mask == 0;
}

// The handle of number `choice` among those that suit; 0: there are none.
static handle_t handle_nth(u32 mask, u32 choice) {
    struct handle_table *table = handle_table_current();
    const struct handle *slot;
    handle_t found[64];
    u32 count = 0;
    lock_acquire(&table->holder.lock);
    for (handle_t value = 1; count < 64 && (slot = handle_table_next(table, &value)); value++)
        if (slot_suits(slot, mask)) found[count++] = value;
    lock_release(&table->holder.lock);
    return count ? found[choice % count] : 0;
}

static handle_t handle_take(struct bytes *bytes, u32 mask) {
    u8 byte = byte_take(bytes);
    return byte >= 0xf0 ? (handle_t)(byte - 0xf0) : handle_nth(mask, byte);
}

// An argument, which may be the address space that the next ones are for.
static u64 handle_argument_take(struct call *call, u32 mask) {
    struct object *object;
    handle_t handle = handle_take(call->bytes, mask);
    if (!(mask & OBJ_MASK(OBJ_ASPACE)) || handle_get(handle, mask, 0, &object) != OK) return handle;
    if (((struct aspace *)object)->owner) call->places = LINUX_PLACES;
    object_put(object);
    return handle;
}

static u64 koid_take(struct bytes *bytes) {
    struct object *object;
    handle_t handle = handle_take(bytes, 0);
    u8 distance = byte_take(bytes);
    if (handle_get(handle, ~0u, 0, &object) != OK) return distance;
    u64 koid = object->koid + distance % 16;
    object_put(object);
    return koid;
}

// Whether a handle is what an argument asks for; 0, which may mean something else, counts as such.
static bool handle_suits(u64 value, const struct fuzz_arg *arg) {
    struct handle_info info;
    if (arg->kind != FUZZ_HANDLE || value == 0) return true;
    if (value >> 32 || handle_get_info((handle_t)value, ~0u, 0, &info) != OK) return false;
    bool suits = (arg->mask == 0 || arg->mask >> info.object->type & 1) &&
                 (info.rights & arg->rights) == arg->rights;
    handle_info_put(&info);
    return suits;
}

static bool handles_suit(const struct fuzz_call *kind, const struct syscall_args *args) {
    bool suit = true;
    for (u32 i = 0; i < ARRAY_SIZE(kind->args); i++)
        suit &= handle_suits(args->arg[i], &kind->args[i]);
    return suit;
}

// ---- what is in memory ----

static u64 room_of(const struct call *call, u32 index) { return call->rooms + index * PAGE_SIZE; }

static u64 room_fill(const struct call *call, u32 index, const void *bytes, usize size) {
    u64 room = room_of(call, index);
    (void)arch_copy_to_user(room, bytes, size); // it may have been unmapped
    return room;
}

static u64 name_take(struct call *call, u32 index) {
    static const char *const names[] = {"a",     "b",  "c", "a/b", "b/c", "a/b/c", "d",   "d/e",
                                        "d/e/f", "..", "",  "/a",  "a/",  "a/a",   "b/a", "a/d/e"};
    const char *name = names[byte_take(call->bytes) % ARRAY_SIZE(names)];
    call->length = strlen(name);
    return room_fill(call, index, name, call->length);
}

static u32 size_take(struct bytes *bytes) {
    static const u32 sizes[] = {0, 8, 16, 64, 192, 193, 1000, 3000, 5000, 20000, 65536, 65537};
    return sizes[byte_take(bytes) % ARRAY_SIZE(sizes)];
}

static u64 message_take(struct call *call, u32 index) {
    u8 byte = byte_take(call->bytes);
    handle_t handles[4];
    struct cl_message message = {
        .bytes = room_of(call, ROOM_HANDLES),
        .bytes_size = size_take(call->bytes),
        .handles_count = byte & 1 ? byte >> 1 & 3 : 0,
        .handles = room_of(call, ROOM_HANDLES + 1),
    };
    for (u32 i = 0; i < message.handles_count; i++)
        handles[i] = handle_take(call->bytes, 0);
    (void)arch_copy_to_user(message.handles, handles, message.handles_count * sizeof(handle_t));
    return room_fill(call, index, &message, sizeof(message));
}

static u32 rights_take(struct bytes *bytes) {
    u32 byte = byte_take(bytes);
    if (byte < 0x80) return CL_RIGHTS_SAME;
    return byte < 0xc0 ? (u32)RIGHT_MASK & (u16_take(bytes) * 0x11u) : byte - 0xc0;
}

static u64 acl_take(struct call *call, u32 index) {
    struct cl_acl acl = {};
    acl.count = byte_take(call->bytes) % 4;
    acl.everyone = rights_take(call->bytes);
    for (u32 i = 0; i < acl.count; i++) {
        acl.users[i] = byte_take(call->bytes) % 4;
        acl.rights[i] = (u32)RIGHT_MASK & (byte_take(call->bytes) * 0x1111u);
    }
    return room_fill(call, index, &acl, sizeof(acl));
}

static u64 limits_take(struct call *call, u32 index) {
    static const u64 values[] = {0, 1, 2, 5, 20, 60, 100, 300, 1000, CL_LIMIT_SAME};
    u64 limits[sizeof(struct cl_ns_limits) / sizeof(u64)];
    __builtin_memset(limits, 0xff, sizeof(limits)); // LIMIT_SAME
    for (u32 i = 0; i < 2; i++) {
        u8 byte = byte_take(call->bytes);
        limits[byte % ARRAY_SIZE(limits)] = values[byte / 16 % ARRAY_SIZE(values)];
    }
    return room_fill(call, index, limits, sizeof(limits));
}

static u64 options_take(struct call *call, u32 index) {
    struct cl_channel_options options = {
        .call_bytes_max = size_take(call->bytes),
        .call_handles_max = byte_take(call->bytes) % 6,
        .send_bytes_max = size_take(call->bytes),
    };
    return room_fill(call, index, &options, sizeof(options));
}

// ---- numbers ----

static u64 value_take(struct bytes *bytes) {
    u8 byte = byte_take(bytes);
    if (byte < 0x80) return byte % 8;
    return byte < 0xe0 ? byte * 32u : ~0ul >> (byte & 31);
}

// Bits for each place in the mask, from few bytes.
static u64 flags_take(struct bytes *bytes, u32 mask) {
    u64 flags = 0;
    u32 byte = byte_take(bytes);
    for (u32 bit = 0; bit < 32; bit++) {
        if (!(mask >> bit & 1)) continue;
        flags |= (u64)(byte & 1) << bit;
        byte >>= 1;
    }
    return flags;
}

static u64 deadline_take(struct bytes *bytes) {
    u8 byte = byte_take(bytes);
    if (byte < 0x80) return CL_DEADLINE_POLL;
    if (byte >= 0xfc) return CL_DEADLINE_NEVER;
    return arch_time_ns() + (byte & 15u) * 1000;
}

static u64 place_take(const struct call *call) {
    u8 byte = byte_take(call->bytes);
    if (byte == 0xff) return 0;
    return (byte == 0xfe ? PLACES + LINUX_PLACES - call->places : call->places) +
           (byte & 0x3f) * PAGE_SIZE;
}

static u64 size_pages_take(struct bytes *bytes) {
    u8 byte = byte_take(bytes);
    return byte < 0xf8 ? (1 + byte % 40u) * PAGE_SIZE : MIB(1) << (byte - 0xf8) * 4;
}

static u64 room_take(struct call *call, u32 index) {
    u8 byte = byte_take(call->bytes);
    call->length = byte < 0x80 ? byte * 8u : byte * 64u;
    return room_of(call, index) + (byte % 4) * 8;
}

static u64 argument_take(struct call *call, u32 index, const struct fuzz_arg *arg) {
    switch (arg->kind) {
    case FUZZ_END: return 0;
    case FUZZ_VALUE: return value_take(call->bytes);
    case FUZZ_FLAGS: return flags_take(call->bytes, arg->mask);
    case FUZZ_DEADLINE: return deadline_take(call->bytes);
    case FUZZ_HANDLE: return handle_argument_take(call, arg->mask);
    case FUZZ_NAME: return name_take(call, index);
    case FUZZ_LENGTH: return call->length;
    case FUZZ_ROOM: return room_take(call, index);
    case FUZZ_PLACE: return place_take(call);
    case FUZZ_PAGES: return size_pages_take(call->bytes);
    case FUZZ_OFFSET: return byte_take(call->bytes) % 40u * PAGE_SIZE;
    case FUZZ_CODE: return CL_PROCESS_BASE + byte_take(call->bytes) * 8u;
    case FUZZ_RIGHTS: return rights_take(call->bytes);
    case FUZZ_KOID: return koid_take(call->bytes);
    case FUZZ_MESSAGE: return message_take(call, index);
    case FUZZ_ACL: return acl_take(call, index);
    case FUZZ_LIMITS: return limits_take(call, index);
    case FUZZ_OPTIONS: return options_take(call, index);
    }
    return 0;
}

// ---- touching memory ----

// Restricted code that reads or writes, with its faults resolved as on the way of one.
static void restricted_touch(struct bytes *bytes) {
    struct object *object;
    u64 va = LINUX_PLACES + (byte_take(bytes) & 0x3f) * PAGE_SIZE;
    u64 value = va;
    u32 need = byte_take(bytes) & 1 ? ARCH_MAP_WRITE : ARCH_MAP_READ;
    if (handle_get(handle_nth(OBJ_MASK(OBJ_ASPACE), need), OBJ_MASK(OBJ_ASPACE), 0, &object) != OK)
        return;
    struct aspace *aspace = (struct aspace *)object;
    for (u32 i = 0; aspace->owner && i < 100; i++)
        if (host_user_access(&aspace->pmap, va, need, &value, sizeof(value)) ||
            aspace_fault(aspace, va, need) != OK)
            break;
    object_put(object);
}

static void own_touch(struct bytes *bytes) {
    u8 byte = byte_take(bytes);
    u64 value = PLACES + (byte & 0x3f) * PAGE_SIZE, va = value;
    if (byte & 0x80)
        (void)arch_copy_to_user(va, &value, sizeof(value));
    else
        (void)arch_copy_from_user(&value, va, sizeof(value));
}

void call_make(struct bytes *bytes, u64 rooms, enum call_watch watch) {
    u32 choice = byte_take(bytes);
    if (choice >= 0xf0) {
        restricted_touch(bytes);
        return;
    }
    if (choice >= 0xe0) {
        own_touch(bytes);
        return;
    }
    const struct fuzz_call *kind = &fuzz_calls[choice % fuzz_calls_count];
    if (kind->ends && byte_take(bytes) % 16 != 1) return;
    struct call call = {
        .bytes = bytes, .rooms = rooms, .places = PLACES, .args.number = kind->number};
    for (u32 i = 0; i < 6; i++)
        call.args.arg[i] = argument_take(&call, i, &kind->args[i]);
    bool suit = watch == CALL_UNWATCHED || handles_suit(kind, &call.args);
    syscall_table[kind->number](&call.args);
    if (!suit && call.args.status == OK)
        panic("call %u was done without what it asks of its handles", kind->number);
}
