// What a victim does until it is killed.
#pragma once
#include "test.h"

// Handles that a victim is given in its first message, in this order.
enum gift { GIFT_NS, GIFT_CLIENT, GIFT_SERVER, GIFT_TEMPLATE, GIFT_COUNT };

// Things to do, one or two for each victim. Those up to ACTION_ALONE_LAST make nothing that
// outlives the process in its namespace.
enum action : uint32_t {
    ACTION_CALL,
    ACTION_SERVE,
    ACTION_FAULT,
    ACTION_RESTRICTED,
    ACTION_WAIT,
    ACTION_FUTEX,
    ACTION_QUEUE,
    ACTION_ALONE_LAST = ACTION_QUEUE,
    ACTION_HANDLES,
    ACTION_PROCESS,
    ACTION_CLONE,
    ACTION_TEMPLATE,
    ACTION_NAMESPACE,
    ACTION_NAMES,
    ACTION_COUNT,
};
const char *action_name(enum action action);

// A twin's entry. The argument: first action, second << 8, seed << 16. Sends one message when it
// is about to begin, and does not return.
void victim_main(handle_t bootstrap, uint64_t argument);
// Entry of a process that becomes a template; its clones live for a moment.
void template_main(handle_t bootstrap, uint64_t argument);

// Random numbers; the state is the caller's and never 0.
static inline uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
