// Channel calls in the terms of C: pointers instead of addresses in structures.
// Results are those of the system call.
#pragma once

#include "cloister.h"

#include "lib/records.h"

static inline struct cl_message message_of(const void *bytes, usize size_bytes,
                                           const handle_t *handles, u32 handles_count) {
    return (struct cl_message){
        .bytes = (u64)bytes,
        .bytes_size = (u32)size_bytes,
        .handles_count = handles_count,
        .handles = (u64)handles,
    };
}

// Sends one way. Handles move with OK and stay with an error.
static inline status_t message_send(handle_t channel, const void *bytes, usize size_bytes,
                                    const handle_t *handles, u32 handles_count) {
    struct cl_message message = message_of(bytes, size_bytes, handles, handles_count);
    return channel_send(channel, &message);
}

static inline status_t message_receive(handle_t channel, void *bytes, usize room_bytes,
                                       handle_t *handles, u32 handles_room, u64 deadline_ns,
                                       struct cl_received *received) {
    struct cl_message room = message_of(bytes, room_bytes, handles, handles_room);
    return channel_receive(channel, &room, (u64)received, 0, deadline_ns);
}

static inline status_t message_reply(handle_t channel, u64 token, const void *bytes,
                                     usize size_bytes) {
    struct cl_message message = message_of(bytes, size_bytes, NULL, 0);
    return channel_reply(channel, token, &message);
}

// Closes the handles of records that were not sent.
static inline void records_writer_close(struct records_writer *writer) {
    for (u32 i = 0; i < writer->handles_count; i++)
        handle_close(writer->handles[i]);
    writer->handles_count = 0;
}

// Closes the handles that nobody has taken out of the records.
static inline void records_close(const struct records *records) {
    for (u32 i = 0; i < records->handles_count; i++) {
        if (records->handles[i] != CL_HANDLE_INVALID) {
            handle_close(records->handles[i]);
        }
    }
}
