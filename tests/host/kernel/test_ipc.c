// Channels and ports in a Unix process, for the sanitizers: test_ipc SEED ROUNDS CPUS.
// In each round a process of callers and a process of servers, each in a namespace of its own, do
// at random what channels allow, until one namespace and then the other is killed. At the end
// everything must be back.
#include "arch/host/host.h"
#include "kernel/handlers.h"
#include "object/channel.h"
#include "object/namespace.h"
#include "object/port.h"
#include "object/process.h"
#include "object/timer.h"
#include <stdlib.h>

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) panic("%s:%d: check failed: %s", __FILE__, __LINE__, #condition); \
    } while (0)

enum : u64 { ROOM = 16 * PAGE_SIZE, MS = 1'000'000 };

static struct options {
    u64 seed, rounds;
    u32 cpus;
} options;

static u64 random_next(u64 *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// ---- system calls, as the decoding makes them ----

struct user {
    u64 random;
    u64 memory; // ROOM bytes of the process's own
    handle_t end;
};

static struct object *get(handle_t handle) {
    struct object *object;
    return handle_get(handle, ~0u, 0, &object) == OK ? object : nullptr;
}

// A handle of what a call has made.
static status_t give(struct object *object, handle_t *handle) {
    status_t status = handles_reserve(handle_table_current(), 1, handle);
    if (status == OK)
        handle_fill_new(handle_table_current(), *handle, object);
    else
        object_put(object);
    return status;
}

#define CALL(handle, type, call)                           \
    ({                                                     \
        struct type *type##_ = (struct type *)get(handle); \
        status_t status_ = ERR_BAD_HANDLE;                 \
        if (type##_) {                                     \
            status_ = call;                                \
            object_put((struct object *)type##_);          \
        }                                                  \
        host_user_return();                                \
        status_;                                           \
    })

static void user_begin(struct user *user, u64 end, u64 seed) {
    *user = (struct user){.random = seed * 2654435761u + 88172645463325252u, .end = (handle_t)end};
    if (sys_aspace_map(process_current()->aspace, nullptr, 0, 0, ROOM, CL_MAP_READ | CL_MAP_WRITE,
                       &user->memory) != OK)
        sys_thread_exit();
    for (u64 at = 0; at < ROOM; at += PAGE_SIZE) {
        u64 value = 0;
        (void)arch_copy_to_user(user->memory + at, &value, sizeof(value));
    }
    host_user_return();
}

static u32 random_size(struct user *user) {
    static const u32 sizes[] = {0, 8, 8, 8, 100, 192, 193, 5000, 30000};
    return sizes[random_next(&user->random) % ARRAY_SIZE(sizes)];
}

// Handle values are kept at the end of the user's memory.
static u64 handles_at(const struct user *user) { return user->memory + ROOM - 64; }

// In a namespace that dies, the memory may be gone before the thread.
static struct cl_message random_message(struct user *user) {
    struct cl_message message = {.bytes = user->memory, .bytes_size = random_size(user)};
    struct object *made;
    handle_t event;
    if (random_next(&user->random) % 4 != 0 || sys_event_create(ns_current(), &made) != OK ||
        give(made, &event) != OK)
        return message;
    if (arch_copy_to_user(handles_at(user), &event, sizeof(event)) == OK) {
        message.handles = handles_at(user);
        message.handles_count = 1;
    }
    return message;
}

static void handles_close(struct user *user, u32 count) {
    handle_t values[4] = {};
    if (arch_copy_from_user(values, handles_at(user), sizeof(values)) != OK) return;
    for (u32 i = 0; i < count; i++)
        (void)sys_handle_close(values[i]);
}

static struct cl_message room(struct user *user) {
    return (struct cl_message){user->memory, ROOM / 2, 4, handles_at(user)};
}

// ---- the processes ----

static void caller_step(struct user *user) {
    u32 size, count = 0;
    struct cl_message message = random_message(user);
    struct cl_message reply = room(user);
    if (random_next(&user->random) % 2) reply.bytes_size = 64;
    if (random_next(&user->random) % 2) reply.handles_count = 0;
    u64 wait_ns = random_next(&user->random) % (3 * MS);
    if (random_next(&user->random) % 8 == 0) {
        (void)CALL(user->end, channel, sys_channel_send(channel_, &message));
        return;
    }
    status_t status =
        CALL(user->end, channel,
             sys_channel_call(channel_, &message, &reply, arch_time_ns() + wait_ns, &size, &count));
    if (status == OK) handles_close(user, count);
}

static void caller(u64 end, u64 seed) {
    struct user user;
    user_begin(&user, end, seed);
    for (;;)
        caller_step(&user);
}

static void server_step(struct user *user, handle_t port) {
    struct cl_received received = {};
    u64 received_at = user->memory + ROOM - 128;
    struct cl_message in = room(user);
    u64 key;
    u32 signals;
    if (random_next(&user->random) % 8 == 0) in.bytes_size = 50;
    if (random_next(&user->random) % 4 == 0)
        (void)CALL(port, port, sys_port_wait(port_, 0, arch_time_ns() + MS, &key, &signals));
    status_t status = CALL(user->end, channel,
                           sys_channel_receive(channel_, &in, received_at, 0, arch_time_ns() + MS));
    while (status == OK) {
        if (arch_copy_from_user(&received, received_at, sizeof(received)) != OK) return;
        handles_close(user, received.handles_count);
        struct cl_message out = random_message(user);
        in = room(user);
        if (received.token == 0 || random_next(&user->random) % 8 == 0) return;
        if (random_next(&user->random) % 2) {
            (void)CALL(user->end, channel, sys_channel_reply(channel_, received.token, &out));
            return;
        }
        status = CALL(user->end, channel,
                      sys_channel_reply_receive(channel_, received.token, &out, &in, received_at,
                                                arch_time_ns() + MS));
    }
}

// Nothing may be held on the way to user mode: there a killed thread ends.
static void port_watch(handle_t port_handle, handle_t observed, u32 signals, u64 key, u32 flags) {
    struct handle_info info;
    struct port *port = (struct port *)get(port_handle);
    if (port && handle_get_info(observed, ~0u, 0, &info) == OK) {
        (void)sys_port_register(port, &info, signals, key, flags);
        handle_info_put(&info);
    }
    if (port) object_put(&port->base);
    host_user_return();
}

// A mailbox, a timer and a futex of the thread's own.
static void other_step(struct user *user, handle_t queue, handle_t timer, handle_t port) {
    struct cl_message message = random_message(user), in = room(user);
    u32 woken;
    if (CALL(queue, channel, sys_channel_send(channel_, &message)) == OK &&
        random_next(&user->random) % 2 &&
        CALL(queue, channel,
             sys_channel_receive(channel_, &in, user->memory + ROOM - 128, 0, CL_DEADLINE_POLL)) ==
            OK)
        handles_close(user, message.handles_count);
    (void)CALL(timer, timer, sys_timer_set(timer_, arch_time_ns() + MS / 10));
    port_watch(port, timer, SIGNAL_SIGNALED, 9, CL_PORT_ONCE);
    (void)sys_futex_wait(user->memory + 64, 0, 0, arch_time_ns() + MS / 20);
    (void)sys_futex_wake(user->memory + 64, 1, &woken);
    host_user_return();
}

static void server(u64 end, u64 seed) {
    struct user user;
    handle_t port = 0, queue = 0, timer = 0;
    struct port *port_made;
    struct channel *queue_made;
    struct timer *timer_made;
    user_begin(&user, end, seed);
    if (sys_port_create(ns_current(), &port_made) == OK) (void)give(&port_made->base, &port);
    if (sys_queue_create(ns_current(), 5, 40000, &queue_made) == OK)
        (void)give(&queue_made->base, &queue);
    if (sys_timer_create(ns_current(), &timer_made) == OK) (void)give(&timer_made->base, &timer);
    for (;;) {
        if (random_next(&user.random) % 16 == 0)
            port_watch(port, user.end, SIGNAL_READABLE | SIGNAL_PEER_CLOSED,
                       random_next(&user.random) % 4, seed % 2);
        if (random_next(&user.random) % 16 == 0)
            (void)CALL(port, port, sys_port_unregister(port_, random_next(&user.random) % 4));
        if (random_next(&user.random) % 8 == 0) other_step(&user, queue, timer, port);
        server_step(&user, port);
    }
}

// A process's first thread starts the others.
enum { THREADS = 2 };
struct more {
    void (*run)(u64 end, u64 seed);
    u64 end, seed;
};
static struct more mores[256];

static void more_main(u64 number, u64 unused) {
    (void)unused;
    struct more *more = &mores[number % 256];
    more->run(more->end, more->seed);
}

static void threads_start(void (*run)(u64, u64), u64 end, u64 seed) {
    static u64 next;
    struct thread_object *thread;
    for (u64 i = 1; i < THREADS; i++) {
        u64 number = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
        mores[number % 256] = (struct more){run, end, seed + i};
        if (sys_thread_create((u64)more_main, 0, number, &thread) == OK) object_put(&thread->base);
    }
    run(end, seed);
}

static void caller_process(u64 end, u64 seed) { threads_start(caller, end, seed); }
static void server_process(u64 end, u64 seed) { threads_start(server, end, seed); }

// ---- the rounds ----

static struct namespace *ns_make(void) {
    static u64 number;
    static struct name_path name = {.size = 6};
    ksnprintf(name.text, sizeof(name.text), "t%05lu", number++ % 100000);
    struct cl_ns_limits limits;
    __builtin_memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME
    struct namespace *ns;
    CHECK(sys_ns_create(ns_root, &name, &limits, &ns) == OK);
    return ns;
}

static void process_run(struct namespace *ns, void (*entry)(u64, u64), handle_t end, u64 seed) {
    struct process *process;
    CHECK(process_create(ns, nullptr, &process) == OK);
    CHECK(sys_process_start(process, (u64)entry, 0, end, seed) == OK);
    object_put(&process->base);
}

static void pass_time(u64 until_ns) {
    while (arch_time_ns() < until_ns) {
        sched_yield();
        host_user_return();
    }
}

// What keeps a namespace from ending.
static void ns_print(struct namespace *ns) {
    struct object *object;
    kprintf("namespace %lu: %ld pages, %lu objects, %lu handles, %lu message bytes\n",
            ns->base.koid, ledger_used_pages(&ns->ledger), ns_counted(ns, LEDGER_OBJECTS),
            ns_counted(ns, LEDGER_HANDLES), ns_counted(ns, LEDGER_MESSAGE_BYTES));
    lock_acquire(&ns->objects_lock);
    list_for_each(object, &ns->objects, ns_link)
        kprintf("  object %lu of type %u: %u references, %u\n", object->koid, object->type,
                object->refs, object->dead);
    lock_release(&ns->objects_lock);
}

static void ns_end(struct namespace *ns) {
    u32 seen;
    CHECK(sys_ns_kill(ns) == OK);
    status_t status =
        sys_object_wait(&ns->base, SIGNAL_TERMINATED, 0, arch_time_ns() + 5000 * MS, &seen);
    if (status != OK) ns_print(ns);
    CHECK(status == OK);
    CHECK(ledger_used_pages(&ns->ledger) == 0);
    object_put(&ns->base);
}

static void round_run(u64 *random) {
    const struct cl_channel_options settings = {.send_bytes_max = 100000};
    struct namespace *callers = ns_make(), *servers = ns_make();
    struct channel *ends[2];
    handle_t first, second;
    CHECK(sys_channel_create(callers, servers, &settings, &ends[0], &ends[1]) == OK);
    CHECK(give(&ends[0]->base, &first) == OK && give(&ends[1]->base, &second) == OK);
    process_run(callers, caller_process, first, random_next(random));
    process_run(servers, server_process, second, random_next(random));
    pass_time(arch_time_ns() + random_next(random) % (20 * MS));
    bool is_callers_first = random_next(random) % 2;
    ns_end(is_callers_first ? callers : servers);
    ns_end(is_callers_first ? servers : callers);
}

static void user_main(u64 bootstrap, u64 argument) {
    (void)bootstrap, (void)argument;
    u64 random = options.seed * 7919 + 1;
    u64 objects = ns_counted(ns_root, LEDGER_OBJECTS),
        handles = ns_counted(ns_root, LEDGER_HANDLES);
    for (u64 i = 0; i < options.rounds; i++)
        round_run(&random);
    CHECK(ns_counted(ns_root, LEDGER_OBJECTS) == objects);
    CHECK(ns_counted(ns_root, LEDGER_HANDLES) == handles);
    kprintf("PASS\n");
    exit(0);
}

static int run(void *argument) {
    (void)argument;
    static struct waitq forever;
    static struct lock lock = LOCK_INIT(LOCK_OBJECT);
    struct process *process;
    struct arch_user_start start = {.ip = (u64)user_main};
    CHECK(process_create(ns_root, nullptr, &process) == OK);
    CHECK(process_start(process, &start, CL_HANDLE_INVALID) == OK);
    object_put(&process->base);
    waitq_init(&forever);
    for (;;) {
        lock_acquire(&lock);
        (void)waitq_block(&forever, &lock, CL_DEADLINE_NEVER, 0);
    }
}

int main(int count, char **arguments) {
    CHECK(count == 4);
    options = (struct options){strtoul(arguments[1], nullptr, 0), strtoul(arguments[2], nullptr, 0),
                               (u32)strtoul(arguments[3], nullptr, 0)};
    host_run(options.cpus, run, nullptr);
}
