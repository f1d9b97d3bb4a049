// Handles: a holder's right to use an object.
//
// Rules:
// - A handle sits in a holder: a process's table, or the messages of a channel or queue. The
//   holder's lock guards which object it means; the object's handles_lock guards the list.
// - A handle keeps a reference to its object. When the object dies, or the handle is revoked,
//   it becomes a tombstone: it answers DEAD or REVOKED until it is closed.
// - Each handle is 64 bytes and counted (LEDGER_HANDLES) against its holder's namespace.
// - Rights never grow: all that makes a handle from a handle goes through sys_handle_duplicate().
#pragma once

#include "object/object.h"

struct process;
struct revoker;

struct handle_holder {
    struct lock lock;      // rank LOCK_HANDLES
    struct object *owner;  // whose memory this is: process, channel, queue or namespace
    struct ledger *ledger; // where its handles are counted
};

struct handle {
    struct object *object;        // nullptr: free or tombstone
    u32 rights;                   // tombstone: HANDLE_TOMBSTONE_*; free: next free index
    u32 user;                     // of namespace handles
    struct revoker *revoker;      // with a reference; nullptr for a plain handle
    struct handle_holder *holder; // nullptr: free
    struct list object_link;      // under object->handles_lock
    struct list revoker_link;     // under the revoker's lock
};
static_assert(sizeof(struct handle) == 64);

enum : u32 { HANDLE_TOMBSTONE_DEAD = 1u << 31, HANDLE_TOMBSTONE_REVOKED = 1u << 30 };

// What the decoding hands to a handler that needs more than the object.
struct handle_info {
    struct object *object; // referenced
    u32 rights;
    u32 user;
    struct revoker *revoker; // referenced, or nullptr
};

// ---- the current process's table; used by the generated decoding ----
// Type mask: bit (1 << OBJ_x); ~0u is any. Errors in this order: BAD_HANDLE, DEAD or REVOKED,
// WRONG_TYPE, ACCESS_DENIED. The object comes referenced.
status_t handle_get(handle_t handle, u32 type_mask, u32 rights, struct object **out);
status_t handle_get_info(handle_t handle, u32 type_mask, u32 rights, struct handle_info *out);
void handle_info_put(struct handle_info *info);

// Makes an empty slot (of a message, or a name) a handle, which was counted before.
void handle_slot_fill(struct handle *slot, struct handle_holder *holder,
                      const struct handle_info *what);
// What a slot gives, referenced; no right is asked for. DEAD, REVOKED.
status_t handle_slot_info(struct handle *slot, struct handle_info *out);
void handle_holder_init(struct handle_holder *holder, struct object *owner, struct ledger *ledger);
// Turns all handles derived through a revoker into tombstones. Preemptible.
void handles_revoke(struct revoker *revoker);

// ---- tables and moving; for process, channel, queue ----
enum { HANDLE_CHUNK = 64, HANDLE_CHUNKS_DIRECT = 4, HANDLE_CHUNKS_MORE = 512 };
struct handle_table {
    struct handle_holder holder; // owner: the process
    // under holder.lock (in a struct's part, which the analysis can't name):
    struct handle *chunks[HANDLE_CHUNKS_DIRECT];
    struct handle **more; // one page of chunk pointers
    u32 free_first;       // handle value; 0: none
    u32 capacity;         // a multiple of HANDLE_CHUNK
};
// Closes all handles, for the end of a process. Preemptible.
void handle_table_close(struct handle_table *table);
// Frees the chunks; all handles must be closed.
void handle_table_free(struct handle_table *table);

// The current process's table.
struct handle_table *handle_table_current(void);
// Sets places in a table aside, and counts them, so that giving a handle can't fail: NO_RESOURCES.
status_t handles_reserve(struct handle_table *table, u32 count, handle_t *values);
void handles_unreserve(struct handle_table *table, u32 count, const handle_t *values);
// Makes such a place a handle; consumes the references.
void handle_fill(struct handle_table *table, handle_t value, struct handle_info *what);
// The same for what was just made: with all rights, for no user in particular.
void handle_fill_new(struct handle_table *table, handle_t value, struct object *object);
// Moves `count` handles out of the current process's table into `slots` (of `holder`, counted to
// its namespace): all or none. Errors: as handle_get with TRANSFER, BAD_HANDLE also for one named
// twice, INVALID_ARGUMENT for `forbidden` itself.
status_t handles_take(const handle_t *values, u32 count, struct object *forbidden,
                      struct handle_holder *holder, struct handle *slots);
// One handle of the current process into a place set aside in another's table. Errors: the same.
status_t handle_move_to(struct handle_table *table, handle_t place, handle_t value,
                        struct object *forbidden);
// Moves slots into places of the current process's table that were set aside. Tombstones move as
// tombstones.
void handles_give(struct handle *slots, u32 count, const handle_t *places);
// Closes slots that were not given.
void handles_drop(struct handle *slots, u32 count);
// Closes one handle in place (unlinks, drops the reference, closes the object with the last).
// The holder's lock must not be held.
void handle_slot_close(struct handle *slot);
