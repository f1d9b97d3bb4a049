// What clients ask for.
#pragma once

#include "lib/manager_protocol.h"
#include "lib/records.h"
#include "manager/container.h"
#include "manager/waiters.h"

enum { STATUS_PLAIN = 1 }; // of an error outside of `run` and `exec`, as Docker has it

struct request {
    const struct manager_request *head;
    struct records records;
    u64 token;
    struct problem problem;
};

// Takes one request off the server channel, if one is there, and answers it, now or when the
// container that it is about has ended.
void request_serve(void);

// Answers with `count` structures.
void request_answer(const struct request *request, const void *structures, u32 count,
                    usize size_each, u64 next_position);

// Answers with one structure and a handle, which is consumed.
void request_answer_handle(const struct request *request, const void *structure, usize size,
                           handle_t handle);

// A waiter that gets the request's answer when it has come: on the request's channel `answer`, if it
// has one, else as the answer of the call. NULL: the request's problem is set.
struct waiter *request_await(struct request *request, struct container *container,
                             enum waiter_kind kind, u32 id);
// What the waiter waits for was asked for: a call whose answer goes to a channel is over.
void request_accept(const struct request *request, const struct waiter *waiter);

// The container that the request names. NULL: its problem is set.
struct container *request_container(struct request *request);
struct container *request_running(struct request *request);

// Each answers, or sees to it that the request will be; false: request->problem.
bool kill_serve(struct request *request);
bool stop_serve(struct request *request);
bool wait_serve(struct request *request);
bool remove_serve(struct request *request);
bool exec_serve(struct request *request);
bool resize_serve(struct request *request);
bool attach_serve(struct request *request);
bool detach_serve(struct request *request);
bool logs_serve(struct request *request);
bool start_serve(struct request *request);
bool rename_serve(struct request *request);
bool top_serve(struct request *request);
bool copy_serve(struct request *request);
bool tree_serve(struct request *request);
bool update_serve(struct request *request);
bool names_serve(struct request *request);
bool bind_serve(struct request *request);
bool unbind_serve(struct request *request);
bool access_serve(struct request *request);

// The namespace of a container of ours, or of one below one, by its path. False: request->problem.
bool below_open(struct request *request, const char *path, u32 rights, handle_t *ns);
// Kills the container at a path below one of ours.
bool below_kill(struct request *request, const char *path);
