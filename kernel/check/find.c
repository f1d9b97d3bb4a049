// What each object holds: references to others, handles, blocks of the heap, counted things.
#include "device/nic.h"
#include "device/serial.h"
#include "check/check.h"
#include "object/handle_table.h"
#include "object/name.h"
#include "object/port.h"
#include "object/process.h"

static void count(const struct ledger *ledger, enum ledger_count what, i64 amount) {
    found_ns_of(ledger)->counted[what] += amount;
}

// What counts against the limits of all above, too.
static void count_above(const struct namespace *ns, enum ledger_count what) {
    for (; ns; ns = ns->parent)
        count(&ns->ledger, what, 1);
}

// ---- handles ----

void find_handle(const struct handle *slot) {
    if (slot->object) {
        found_ref(slot->object);
        found_of(slot->object)->handles++;
    }
    if (slot->revoker) {
        found_ref(slot->revoker);
        found_of(slot->revoker)->through++;
    }
}

// Every place that is not free is counted: those set aside, too.
static void find_table(const struct process *process) {
    struct handle_table *table = (struct handle_table *)&process->handles;
    u32 used = table->capacity;
    for (handle_t value = 1; value <= table->capacity; value++) {
        const struct handle *slot = handle_table_place(table, value);
        if ((value - 1) % HANDLE_CHUNK == 0) found_block(slot);
        if (!slot->holder) continue;
        check_rule(&process->base, "a handle of it says that another holds it",
                   slot->holder == &table->holder);
        find_handle(slot);
    }
    found_block(table->more);
    for (handle_t free = table->free_first; free && used; used--)
        free = handle_table_place(table, free)->rights;
    count(table->holder.ledger, LEDGER_HANDLES, used);
}

// ---- messages ----

void find_message(const struct message *message) {
    const struct ledger *payer = message->owner->holder.ledger;
    found_block(message);
    found_block(message->handles);
    found_ref(message->owner);
    for (u32 i = 0; i < message->page_count; i++)
        found_page(message->pages[i]);
    for (u32 i = 0; i < message->handles_count; i++)
        find_handle(&message->handles[i]);
    count(payer, LEDGER_HANDLES, message->slots_count);
    count(payer, LEDGER_MESSAGE_BYTES, message->charge);
}

// Requests are their callers'.
static void find_channel(struct object *object) {
    struct channel *end = (struct channel *)object;
    const struct message *message;
    u64 charge = 0;
    u32 one_way = 0;
    list_for_each(message, &end->inbox, link) {
        if (message->caller) continue;
        find_message(message);
        charge += message->charge;
        one_way++;
    }
    // What is dropped when an end closes is not counted back: nobody sends to it any more.
    if (end->is_closed) return;
    check_equal(object, "one-way messages in the inbox", end->inbox_count, one_way);
    check_equal(object, "bytes of one-way messages in the inbox", end->inbox_charge, charge);
    if (end->peer && end->peer != end) {
        found_ref(end->peer);
        check_rule(object, "its peer has it as peer", end->peer->peer == end);
    }
}

// ---- threads ----

static void find_caller(const struct channel_caller *caller) {
    const struct message *message;
    if (caller->request && caller->request != &caller->small) find_message(caller->request);
    if (caller->reply) find_message(caller->reply);
    list_for_each(message, &caller->dropping, link)
        find_message(message);
}

static void find_thread(struct object *object) {
    struct thread_object *thread = (struct thread_object *)object;
    found_ref(thread->process);
    found_ref(thread->restricted);
    found_block(thread->vector);
    find_caller(&thread->caller);
    // Its own, until it has left its stack.
    if (thread->thread.arch.stack_top) found_ref(thread);
    if (thread->is_counted) count_above(object->ns, LEDGER_THREADS);
}

static void find_threads_of(const struct process *process, const struct list *list) {
    const struct thread_object *thread;
    list_for_each(thread, list, process_link) {
        found_ref(thread);
        check_rule(&process->base, "a thread of it says that it is another's",
                   thread->process == process);
    }
}

static void find_process(struct object *object) {
    struct process *process = (struct process *)object;
    u32 threads = check_list(object, "list of threads", &process->threads) +
                  check_list(object, "list of threads that were told to end", &process->told);
    check_equal(object, "threads", process->thread_count, threads);
    find_threads_of(process, &process->threads);
    find_threads_of(process, &process->told);
    found_ref(process->aspace);
    find_table(process);
}

// ---- ports, revokers ----

static void find_port(struct object *object) {
    struct port *port = (struct port *)object;
    const struct port_registration *registration;
    list_for_each(registration, &port->registrations, port_link) {
        found_block(registration);
        found_ref(port);
        found_ref(registration->object);
        found_of(registration->object)->observers++;
        found_ref(registration->revocable.revoker);
        if (registration->revocable.revoker) found_of(registration->revocable.revoker)->revocable++;
        check_rule(object, "a registration of it is another's", registration->port == port);
        check_rule(object, "a registration is found by its key",
                   index_find(&port->by_key, registration->by_key.key) == &registration->by_key);
    }
}

static void find_revoker(struct object *object) {
    const struct revoker *revoker = (const struct revoker *)object;
    found_ref(revoker->parent);
    // Linked to its parent until one of them is revoked.
    if (!revoker->by_parent.revoker || list_empty(&revoker->by_parent.link)) return;
    found_ref(revoker->by_parent.revoker);
    found_of(revoker->by_parent.revoker)->revocable++;
}

// ---- namespaces ----

// The tree holds one that is alive by its making's handle only; one that is dying is the reaper's.
static void find_namespace(struct object *object) {
    const struct namespace *ns = (const struct namespace *)object;
    const struct name *name;
    if (ns->parent) found_ref(ns->parent);
    if (!ns->parent || ns->state == NS_DYING) found_ref(ns);
    list_for_each(name, &ns->names, link) {
        found_block(name);
        find_handle(&name->slot);
        count_above(ns, LEDGER_NAMES);
        count(&ns->ledger, LEDGER_HANDLES, 1);
    }
}

static void find_serial(struct object *object) {
    found_ref(object); // the line's own
    found_block(((struct serial *)object)->ring);
}

static void find_nic(struct object *object) { found_ref(object); } // the card's own

static void find_timer(struct object *object) { count_above(object->ns, LEDGER_TIMERS); }

static void (*const finders[OBJ_COUNT])(struct object *object) = {
    [OBJ_NAMESPACE] = find_namespace, [OBJ_PROCESS] = find_process, [OBJ_THREAD] = find_thread,
    [OBJ_ASPACE] = find_aspace,       [OBJ_MEMOBJ] = find_memobj,   [OBJ_CHANNEL] = find_channel,
    [OBJ_QUEUE] = find_channel,       [OBJ_PORT] = find_port,       [OBJ_TIMER] = find_timer,
    [OBJ_REVOKER] = find_revoker,     [OBJ_NIC] = find_nic,         [OBJ_SERIAL] = find_serial,
};

void find_object(struct object *object) {
    if (object->ns) {
        found_block(object);
        count(&object->ns->ledger, LEDGER_OBJECTS, 1);
    }
    // One that is being freed has lost some of what it had.
    if (object->refs != 0 && finders[object->type]) finders[object->type](object);
}
