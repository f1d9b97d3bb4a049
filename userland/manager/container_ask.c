#include "cloister.h"

#include "abi/names.h"
#include "lib/message.h"
#include "lib/string.h"
#include "manager/container_ask.h"

static union {
    struct container_request head;
    char bytes[2 * CL_MESSAGE_BYTES_MAX];
} request_buffer;

void container_ask_begin(struct records_writer *writer) {
    records_begin(writer, request_buffer.bytes + sizeof(request_buffer.head),
                  sizeof(request_buffer.bytes) - sizeof(request_buffer.head));
}

// Has the personality look at its control channel: its first thread is kicked.
static void personality_kick(const struct container *container) {
    struct cl_object_info info;
    handle_t thread;
    if (object_info(container->process, &info) == OK &&
        ns_open_koid(container->ns, info.detail[3], &thread) == OK) {
        thread_kick(thread);
        handle_close(thread);
    }
}

void container_pass_streams(struct records_writer *writer, struct records *records) {
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    for (u32 i = 0; i < ARRAY_SIZE(names); i++)
        records_add_handle(writer, names[i], records_take(records, names[i]));
}

// Moves the words, which stand before the handles' records, into a memory object of the container's.
static status_t words_give(const struct container *container, struct records_writer *writer) {
    handle_t memobj;
    u32 size = 0;
    while (size < writer->size_bytes && writer->bytes[size] != 'h')
        size += (u32)strlen(writer->bytes + size) + 1;
    status_t status = memobj_create(container->ns, page_round_up(size), &memobj);
    if (status != OK) return status;
    status = memobj_write(memobj, 0, writer->bytes, size);
    writer->size_bytes -= size;
    memmove(writer->bytes, writer->bytes + size, writer->size_bytes);
    records_add_handle(writer, "words", memobj);
    request_buffer.head.argument = (i32)size;
    return status;
}

status_t container_ask(struct container *container, const struct container_request *request,
                       struct records_writer *writer) {
    struct records_writer nothing = {};
    if (!writer) writer = &nothing;
    request_buffer.head = *request;
    request_buffer.head.version = CONTAINER_PROTOCOL_VERSION;
    status_t status = writer->is_full ? ERR_TOO_BIG : ERR_PEER_CLOSED;
    if (container->control && !writer->is_full)
        status = sizeof(request_buffer.head) + writer->size_bytes > CL_MESSAGE_BYTES_MAX
                     ? words_give(container, writer)
                     : OK;
    if (status == OK)
        status = message_send(container->control, request_buffer.bytes,
                              sizeof(request_buffer.head) + writer->size_bytes, writer->handles,
                              writer->handles_count);
    if (status != OK) {
        records_writer_close(writer);
    } else if (!container->is_attended && !container->is_native) { // init watches from its start
        container->is_attended = true;
        personality_kick(container);
    }
    return status;
}

bool container_tell(struct container *container, u32 operation, u32 id, i32 argument,
                    struct problem *problem) {
    struct container_request request = {.operation = operation, .id = id, .argument = argument};
    status_t status = container_ask(container, &request, NULL);
    return status == OK || problem_set(problem, 1, "container %s can't be asked: %s",
                                       container->facts.name, cl_error_name(status));
}
