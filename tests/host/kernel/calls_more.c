// See calls_more.h. Objects are made by the functions behind the system calls; of devices, for which
// there is none, only what every object has.
#include "calls_more.h"
#include "arch/host/host.h"
#include "device/block.h"
#include "disk.h"
#include "device/nic.h"
#include "device/serial.h"
#include "object/channel.h"
#include "object/namespace.h"
#include "object/process.h"
#include "object/revoker.h"

typedef status_t maker(struct namespace *ns, struct object **out);

static status_t namespace_make(struct namespace *ns, struct object **out) {
    static u64 number;
    struct name_path name = {};
    struct cl_ns_limits limits;
    __builtin_memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME
    name.size = (u32)ksnprintf(name.text, sizeof(name.text), "made%lu", number++);
    return sys_ns_create(ns, &name, &limits, (struct namespace **)out);
}

static status_t process_make(struct namespace *ns, struct object **out) {
    return process_create(ns, nullptr, (struct process **)out);
}

// A thread that does nothing.
static void thread_main(u64, u64) {
    static struct lock lock = LOCK_INIT(LOCK_OBJECT);
    static struct waitq nobody = {.threads = LIST_INIT(nobody.threads)};
    for (;;) {
        lock_acquire(&lock);
        (void)waitq_block(&nobody, &lock, CL_DEADLINE_NEVER, 0);
        host_user_return();
    }
}

static status_t thread_make(struct namespace *ns, struct object **out) {
    struct process *process;
    struct arch_user_start start = {.ip = (u64)thread_main};
    status_t status = process_create(ns, nullptr, &process);
    if (status != OK) return status;
    status = process_start(process, &start, CL_HANDLE_INVALID);
    lock_acquire(&process->lock);
    struct thread_object *thread =
        list_first(&process->threads, struct thread_object, process_link);
    if (thread) object_get(&thread->base);
    lock_release(&process->lock);
    object_put(&process->base);
    *out = &thread->base;
    return status;
}

static status_t aspace_make(struct namespace *ns, struct object **out) {
    return aspace_create(ns, process_current()->aspace, (struct aspace **)out);
}

static status_t memobj_make(struct namespace *ns, struct object **out) {
    return memobj_create(ns, 1, (struct memobj **)out);
}

static status_t channel_make(struct namespace *ns, struct object **out) {
    const struct cl_channel_options options = {};
    struct channel *first, *second;
    status_t status = sys_channel_create(ns, ns, &options, &first, &second);
    if (status != OK) return status;
    object_put(&second->base);
    *out = &first->base;
    return OK;
}

static status_t queue_make(struct namespace *ns, struct object **out) {
    return sys_queue_create(ns, 1, 1, (struct channel **)out);
}

static status_t port_make(struct namespace *ns, struct object **out) {
    return sys_port_create(ns, (struct port **)out);
}

static status_t timer_make(struct namespace *ns, struct object **out) {
    return sys_timer_create(ns, (struct timer **)out);
}

static status_t revoker_make(struct namespace *ns, struct object **out) {
    return revoker_create(ns, nullptr, (struct revoker **)out);
}

static status_t block_make(struct namespace *ns, struct object **out) {
    return block_create(ns, &disk, 0, DISK_PAGES * PAGE_SIZE, (struct block **)out);
}

static status_t plain_make(struct namespace *ns, u32 type, usize size, struct object **out) {
    *out = object_alloc(ns, type, size);
    if (!*out) return ERR_NO_RESOURCES;
    object_publish(*out);
    return OK;
}

// The hardware's side has a reference for ever.
static status_t device_make(struct namespace *ns, u32 type, usize size, struct object **out) {
    status_t status = plain_make(ns, type, size, out);
    if (status == OK) object_get(*out);
    return status;
}

static status_t nic_make(struct namespace *ns, struct object **out) {
    return device_make(ns, OBJ_NIC, sizeof(struct nic), out);
}

static status_t serial_make(struct namespace *ns, struct object **out) {
    return device_make(ns, OBJ_SERIAL, sizeof(struct serial), out);
}

static status_t system_make(struct namespace *ns, struct object **out) {
    return plain_make(ns, OBJ_SYSTEM, sizeof(struct object), out);
}

static maker *const makers[] = {
    [OBJ_NAMESPACE] = namespace_make,
    [OBJ_PROCESS] = process_make,
    [OBJ_THREAD] = thread_make,
    [OBJ_ASPACE] = aspace_make,
    [OBJ_MEMOBJ] = memobj_make,
    [OBJ_CHANNEL] = channel_make,
    [OBJ_QUEUE] = queue_make,
    [OBJ_PORT] = port_make,
    [OBJ_TIMER] = timer_make,
    [OBJ_EVENT] = sys_event_create,
    [OBJ_REVOKER] = revoker_make,
    [OBJ_BLOCK] = block_make,
    [OBJ_NIC] = nic_make,
    [OBJ_SERIAL] = serial_make,
    [OBJ_SYSTEM] = system_make,
};

handle_t object_make(u32 type, handle_t ns_handle) {
    struct object *ns, *made;
    handle_t handle;
    if (handle_get(ns_handle, OBJ_MASK(OBJ_NAMESPACE), 0, &ns) != OK) return 0;
    status_t status = makers[type]((struct namespace *)ns, &made);
    object_put(ns);
    if (status != OK) return 0;
    if (handles_reserve(handle_table_current(), 1, &handle) != OK) panic("no room for a handle");
    handle_fill_new(handle_table_current(), handle, made);
    return handle;
}

struct handle_facts handle_look(handle_t handle) {
    struct handle_info info;
    struct handle_facts facts = {};
    if (handle_get_info(handle, ~0u, 0, &info) != OK) return facts;
    facts.koid = info.object->koid;
    facts.type = info.object->type;
    facts.rights = info.rights;
    facts.user = info.user;
    facts.revoker_koid = info.revoker ? info.revoker->base.koid : 0;
    handle_info_put(&info);
    return facts;
}
