// Serial lines: a ring for what came in; output goes to the hardware's own buffer.
// Signals are changed outside the ring's lock, so they are a hint that a read or write checks.
#include "device/serial.h"

#include "arch/arch.h"
#include "drivers/serial.h"
#include "kernel/handlers.h"
#include "object/namespace.h"
#include "object/user.h"

enum : usize { CHUNK = 256 };

static bool serial_has_room(void *argument) {
    struct serial *serial = argument;
    lock_acquire(&serial->ring_lock);
    bool has_room = SERIAL_RING - (serial->head - serial->tail) >= SERIAL_FIFO;
    lock_release(&serial->ring_lock);
    return has_room;
}

static void serial_received(void *argument, const u8 *bytes, usize count) {
    struct serial *serial = argument;
    lock_acquire(&serial->ring_lock);
    for (usize i = 0; i < count && serial->head - serial->tail < SERIAL_RING; i++)
        serial->ring[serial->head++ % SERIAL_RING] = bytes[i];
    lock_release(&serial->ring_lock);
    object_signal(&serial->base, 0, SIGNAL_READABLE);
}

static void serial_writable(void *argument) {
    struct serial *serial = argument;
    object_signal(&serial->base, 0, SIGNAL_WRITABLE);
}

status_t serial_create(u32 line, struct serial **out) {
    if (!serial_port_present(line)) return ERR_NOT_SUPPORTED;
    struct serial *serial = object_alloc(ns_root, OBJ_SERIAL, sizeof(*serial));
    if (!serial) return ERR_NO_RESOURCES;
    lock_init(&serial->ring_lock, LOCK_DRIVER);
    serial->line = line;
    serial->ring = heap_alloc(&ns_root->ledger, SERIAL_RING);
    if (!serial->ring) {
        object_put(&serial->base);
        return ERR_NO_RESOURCES;
    }
    object_get(&serial->base); // the line's own, for ever
    object_signal(&serial->base, 0, SIGNAL_WRITABLE);
    serial_port_set_handlers(line, &(struct serial_port_handlers){
                                       .has_room = serial_has_room,
                                       .received = serial_received,
                                       .writable = serial_writable,
                                       .argument = serial,
                                   });
    object_publish(&serial->base);
    *out = serial;
    return OK;
}

static void serial_free(struct object *object) { heap_free(((struct serial *)object)->ring); }

const struct object_ops serial_object_ops = {.free = serial_free};

status_t sys_serial_write(struct serial *serial, struct user_in bytes, u64 *written) {
    u8 chunk[CHUNK];
    *written = 0;
    while (*written < bytes.size) {
        usize count = min(bytes.size - *written, (u64)CHUNK);
        status_t status = user_copy_in(chunk, bytes.address + *written, count);
        if (status != OK) return *written ? OK : status;
        object_signal(&serial->base, SIGNAL_WRITABLE, 0);
        usize taken = serial_port_write(serial->line, chunk, count);
        *written += taken;
        if (taken < count) return *written ? OK : ERR_SHOULD_WAIT;
        object_signal(&serial->base, 0, SIGNAL_WRITABLE);
    }
    return OK;
}

static usize ring_peek(struct serial *serial, u8 *to, usize size) {
    usize count = 0;
    lock_acquire(&serial->ring_lock);
    for (u32 at = serial->tail; count < size && at != serial->head; at++)
        to[count++] = serial->ring[at % SERIAL_RING];
    lock_release(&serial->ring_lock);
    return count;
}

// Two readers at once may get the same bytes, as they would lose some to each other anyway.
static void ring_consume(struct serial *serial, usize count) {
    lock_acquire(&serial->ring_lock);
    serial->tail += (u32)min(count, (usize)(serial->head - serial->tail));
    lock_release(&serial->ring_lock);
}

static bool ring_is_empty(struct serial *serial) {
    lock_acquire(&serial->ring_lock);
    bool empty = serial->head == serial->tail;
    lock_release(&serial->ring_lock);
    return empty;
}

status_t sys_serial_read(struct serial *serial, struct user_out bytes, u64 *read) {
    u8 chunk[CHUNK];
    *read = 0;
    while (*read < bytes.size) {
        usize count = ring_peek(serial, chunk, min(bytes.size - *read, (u64)CHUNK));
        if (count == 0) break;
        status_t status = user_copy_out(bytes.address + *read, chunk, count);
        if (status != OK) return *read ? OK : status;
        ring_consume(serial, count);
        *read += count;
    }
    if (*read) serial_port_resume(serial->line);
    object_signal(&serial->base, SIGNAL_READABLE, 0);
    if (!ring_is_empty(serial)) object_signal(&serial->base, 0, SIGNAL_READABLE);
    return *read || bytes.size == 0 ? OK : ERR_SHOULD_WAIT;
}
