// Terminals: making, numbering, hanging up, sizes.
#include "linux/tty/terminal.h"

#include "lib/heap.h"
#include "linux/abi.h"
#include "linux/signal.h"
#include "linux/tty/devpts.h"
#include "linux/tty/session.h"

enum { TERMINALS_MAX = 256 };

static struct list terminals GUARDED_BY(&tasks.lock) = LIST_INIT(terminals); // by number

static const struct linux_termios default_termios = {
    .input = ICRNL | IXON,
    .output = OPOST | ONLCR,
    .control = B38400 | CS8 | CREAD,
    .local = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .characters = {[VINTR] = 3,
                   [VQUIT] = 28,
                   [VERASE] = 127,
                   [VKILL] = 21,
                   [VEOF] = 4,
                   [VMIN] = 1,
                   [VSTART] = 17,
                   [VSTOP] = 19,
                   [VSUSP] = 26,
                   [VREPRINT] = 18,
                   [VDISCARD] = 15,
                   [VWERASE] = 23,
                   [VLNEXT] = 22},
    .input_speed = 38400,
    .output_speed = 38400,
};

// Puts it where its number, the lowest free one, belongs.
static int number_take_locked(struct terminal *terminal) REQUIRES(&tasks.lock) {
    struct terminal *later;
    u32 number = 0;
    list_for_each(later, &terminals, all) {
        if (later->number != number) break;
        number++;
    }
    if (number == TERMINALS_MAX) return -ENOSPC;
    terminal->number = number;
    list_insert_tail(&later->all, &terminal->all);
    return 0;
}

int terminal_create(const struct terminal_master *master, void *master_private,
                    struct terminal **out) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct terminal *terminal = heap_alloc_zero(sizeof(*terminal));
    if (!terminal) return -ENOMEM;
    terminal->master = master;
    terminal->master_private = master_private;
    terminal->termios = default_termios;
    waitqueue_init(&terminal->changed);
    list_init(&terminal->all);
    mutex_lock(&tasks.lock);
    int result = number_take_locked(terminal);
    mutex_unlock(&tasks.lock);
    if (result != 0) {
        heap_free(terminal);
        return result;
    }
    devpts_node_init(terminal);
    *out = terminal;
    return 0;
}

struct terminal *terminal_get(struct terminal *terminal) {
    vnode_get(&terminal->vnode);
    return terminal;
}

void terminal_put(struct terminal *terminal) {
    if (terminal) vnode_put(&terminal->vnode);
}

// The list's terminals are alive: their masters hold them.
struct terminal *terminal_find(u32 number) {
    struct terminal *terminal;
    struct terminal *found = NULL;
    mutex_lock(&tasks.lock);
    list_for_each(terminal, &terminals, all) {
        if (terminal->number == number) found = terminal_get(terminal);
    }
    mutex_unlock(&tasks.lock);
    return found;
}

i32 terminal_next(u32 first) {
    struct terminal *terminal;
    i32 found = -1;
    mutex_lock(&tasks.lock);
    list_for_each(terminal, &terminals, all) {
        if (terminal->number >= first && found < 0) found = (i32)terminal->number;
    }
    mutex_unlock(&tasks.lock);
    return found;
}

struct terminal *terminal_of_session_locked(i32 session) {
    struct terminal *terminal;
    list_for_each(terminal, &terminals, all) {
        if (terminal->session == session) return terminal;
    }
    return NULL;
}

bool terminal_is_hung_up(const struct terminal *terminal) {
    return __atomic_load_n(&terminal->is_hung_up, __ATOMIC_ACQUIRE);
}

void terminal_hang_up(struct terminal *terminal) {
    __atomic_store_n(&terminal->is_hung_up, true, __ATOMIC_RELEASE);
    mutex_lock(&tasks.lock);
    list_remove(&terminal->all);
    session_hang_up_locked(terminal);
    mutex_unlock(&tasks.lock);
    waitqueue_wake(&terminal->changed);
}

void terminal_set_size(struct terminal *terminal, struct linux_winsize size) {
    mutex_lock(&terminal->lock);
    bool is_same = terminal->size.rows == size.rows && terminal->size.columns == size.columns &&
                   terminal->size.width == size.width && terminal->size.height == size.height;
    terminal->size = size;
    mutex_unlock(&terminal->lock);
    if (!is_same) terminal_signal(terminal, SIGWINCH);
}

void terminal_output_ready_locked(struct terminal *terminal) {
    if (terminal->master->output) terminal->master->output(terminal);
    waitqueue_wake(&terminal->changed);
}

void terminal_room_ready_locked(struct terminal *terminal) {
    if (terminal->master->room) terminal->master->room(terminal);
    waitqueue_wake(&terminal->changed);
}
