// Requests to a container's personality (lib/container_protocol.h).
#pragma once

#include "lib/container_protocol.h"
#include "lib/records.h"
#include "manager/container.h"

// Sends one; never waits. Words that a message has no room for go in a memory object. The writer, with the records and handles that go with it, may be NULL; its
// handles have moved, or are closed. Errors: what the channel says; SHOULD_WAIT when the personality
// does not take its requests.
status_t container_ask(struct container *container, const struct container_request *request,
                       struct records_writer *writer);

// Takes the handles stdin, stdout and stderr out of a request, as far as they are there.
void container_pass_streams(struct records_writer *writer, struct records *records);

// A writer over the one buffer that there is for this.
void container_ask_begin(struct records_writer *writer);
