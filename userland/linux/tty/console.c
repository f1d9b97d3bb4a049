// Input: the event thread takes messages as long as the discipline has room; what it does not take
// is kept, and offered when a program has read. Output goes to its channel at once; what does not
// fit stays in the terminal's ring until the event thread hears that there is room.
//
// A client that is gone changes nothing for the container: what is shown then is in the log only.
#include "linux/tty/console.h"

#include "lib/container_protocol.h"
#include "lib/heap.h"
#include "linux/abi.h"
#include "linux/events.h"
#include "linux/kernel_if.h"
#include "linux/output.h"
#include "linux/thread.h"
#include "linux/tty/session.h"

// Less than the manager's last chance: a client that does not read is no reason to lose the container.
enum : u64 { DRAIN_NS = 2'000'000'000 };

struct console {
    struct terminal *terminal;
    struct event_watch input_watch;
    struct event_watch output_watch;
    struct mutex attaching; // around a change of the channels; before the terminal's lock
    bool is_over;           // under it: no client comes any more
    // under the terminal's lock:
    handle_t input;
    handle_t output;
    bool is_first;    // its output is in the log
    bool is_changing; // nothing goes in or out, and nothing is watched
    bool is_feeding;  // taking a byte may make room, which would feed again
    u32 kept_start;
    u32 kept_end;
    u8 kept[CONTAINER_STREAM_BYTES_MAX];
};

static struct terminal *first GUARDED_BY(&tasks.lock);

static struct console *console_of(struct terminal *terminal) { return terminal->master_private; }

static void output_pump_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    struct console *console = console_of(terminal);
    while (!terminal->is_stopped && !console->is_changing) {
        usize size;
        const u8 *bytes = terminal_output_peek_locked(terminal, &size);
        if (size == 0) return;
        i64 count = console->output ? kernel_stream_write(console->output, bytes, size) : -EPIPE;
        if (count == -EAGAIN) {
            event_watch_arm(&console->output_watch, console->output,
                            SIGNAL_WRITABLE | SIGNAL_PEER_CLOSED);
            return;
        }
        usize shown = count < 0 ? size : (usize)count;
        if (console->is_first) output_log(LOG_STDOUT, bytes, shown);
        terminal->output.tail += (u32)shown;
    }
}

// False: the discipline has no room for all. The echo of a message may need more than the output's
// ring.
static bool kept_feed_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    struct console *console = console_of(terminal);
    const struct terminal_output *output = &terminal->output;
    while (console->kept_start < console->kept_end) {
        if (!terminal_take_locked(terminal, console->kept[console->kept_start])) return false;
        console->kept_start++;
        if (output->head - output->tail >= TERMINAL_OUTPUT_BYTES / 2) output_pump_locked(terminal);
    }
    return true;
}

static void input_end_locked(struct console *console) {
    kernel_close(console->input);
    console->input = 0;
}

static void input_feed_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    struct console *console = console_of(terminal);
    if (console->is_feeding || console->is_changing) return;
    console->is_feeding = true;
    while (kept_feed_locked(terminal) && console->input) {
        i64 count = kernel_stream_read(console->input, console->kept, sizeof(console->kept));
        console->kept_start = 0;
        console->kept_end = count > 0 ? (u32)count : 0;
        if (count == -EAGAIN) {
            event_watch_arm(&console->input_watch, console->input,
                            SIGNAL_READABLE | SIGNAL_PEER_CLOSED);
            break;
        }
        if (count <= 0) input_end_locked(console);
    }
    console->is_feeding = false;
}

// What is taken when there is room again is echoed.
static void room_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    input_feed_locked(terminal);
    output_pump_locked(terminal);
}

static void channels_close(const struct console_channels *channels) {
    if (channels->input) kernel_close(channels->input);
    if (channels->output) kernel_close(channels->output);
}

static void console_release(struct terminal *terminal) {
    struct console *console = console_of(terminal);
    event_unwatch(&console->input_watch);
    event_unwatch(&console->output_watch);
    heap_free(console);
}

static const struct terminal_master console_master = {
    .output = output_pump_locked,
    .room = room_locked,
    .release = console_release,
};

static void input_ready(struct event_watch *watch, u32) {
    struct console *console = container_of(watch, struct console, input_watch);
    struct terminal *terminal = console->terminal;
    mutex_lock(&terminal->lock);
    input_feed_locked(terminal);
    terminal_output_ready_locked(terminal);
    mutex_unlock(&terminal->lock);
}

static void output_ready(struct event_watch *watch, u32) {
    struct console *console = container_of(watch, struct console, output_watch);
    struct terminal *terminal = console->terminal;
    mutex_lock(&terminal->lock);
    terminal_output_ready_locked(terminal);
    mutex_unlock(&terminal->lock);
}

static u16 number_parse(const char **text) {
    u32 number = 0;
    while (**text >= '0' && **text <= '9' && number < 6553) {
        number = number * 10 + (u32)(*(*text)++ - '0');
    }
    return (u16)number;
}

static struct linux_winsize size_parse(const char *text) {
    struct linux_winsize size = {.rows = number_parse(&text)};
    if (*text == 'x') text++;
    size.columns = number_parse(&text);
    return size;
}

int console_create(const struct console_channels *channels, const char *size,
                   struct terminal **out) {
    struct console *console = heap_alloc_zero(sizeof(*console));
    int result = console ? terminal_create(&console_master, console, &console->terminal) : -ENOMEM;
    if (result != 0) {
        heap_free(console);
        channels_close(channels);
        return result;
    }
    event_watch_init(&console->input_watch, input_ready);
    event_watch_init(&console->output_watch, output_ready);
    terminal_set_size(console->terminal, size_parse(size));
    *out = console->terminal;
    console_attach(console->terminal, channels);
    return 0;
}

// No watch may stay behind at a channel that is closed: it would be in the way of the next one's.
static void channels_change(struct terminal *terminal, const struct console_channels *channels) {
    struct console *console = console_of(terminal);
    mutex_lock(&terminal->lock);
    console->is_changing = true;
    mutex_unlock(&terminal->lock);
    event_unwatch(&console->input_watch);
    event_unwatch(&console->output_watch);
    mutex_lock(&terminal->lock);
    channels_close(&(struct console_channels){console->input, console->output});
    console->input = channels->input;
    console->output = channels->output;
    console->is_changing = false;
    input_feed_locked(terminal);
    terminal_output_ready_locked(terminal);
    mutex_unlock(&terminal->lock);
}

void console_attach(struct terminal *terminal, const struct console_channels *channels) {
    struct console *console = console_of(terminal);
    mutex_lock(&console->attaching);
    if (console->is_over)
        channels_close(channels);
    else
        channels_change(terminal, channels);
    mutex_unlock(&console->attaching);
}

int console_open(struct thread *thread, struct terminal *terminal, struct file **out) {
    int result = file_open_vnode(thread, &terminal->vnode, O_RDWR, out);
    if (result == 0) terminal_adopt(thread, terminal, O_RDWR);
    return result;
}

struct terminal *console_first(void) {
    mutex_lock(&tasks.lock);
    struct terminal *terminal = first ? terminal_get(first) : NULL;
    mutex_unlock(&tasks.lock);
    return terminal;
}

void console_set_first(struct terminal *terminal) {
    mutex_lock(&tasks.lock);
    first = terminal;
    console_of(terminal)->is_first = true;
    mutex_unlock(&tasks.lock);
}

static void console_close(struct terminal *terminal) {
    static const struct console_channels nobody = {};
    struct console *console = console_of(terminal);
    mutex_lock(&tasks.lock);
    if (first == terminal) first = NULL;
    mutex_unlock(&tasks.lock);
    mutex_lock(&console->attaching);
    channels_change(terminal, &nobody);
    console->is_over = true;
    mutex_unlock(&console->attaching);
}

void console_end(struct terminal *terminal) {
    console_drain(terminal);
    console_close(terminal);
    terminal_hang_up(terminal);
    terminal_put(terminal);
}

void console_drain(struct terminal *terminal) {
    struct console *console = console_of(terminal);
    u64 deadline_ns = kernel_monotonic_ns() + DRAIN_NS;
    int result = 0;
    while ((result == 0 || result == -EINTR) && kernel_monotonic_ns() < deadline_ns) {
        u32 observed;
        mutex_lock(&terminal->lock);
        terminal->is_stopped = false;
        output_pump_locked(terminal);
        bool is_empty = terminal->output.head == terminal->output.tail;
        handle_t output = console->output;
        mutex_unlock(&terminal->lock);
        if (is_empty) return;
        result = kernel_object_wait(output, SIGNAL_WRITABLE | SIGNAL_PEER_CLOSED, deadline_ns,
                                    &observed);
    }
}
