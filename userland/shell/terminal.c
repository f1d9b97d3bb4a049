// Two requests are sent at the beginning, whatever the terminal understands of them: `CSI 18 t`,
// answered by `CSI 8 ; rows ; columns t`, and mode 2048, in which the terminal reports each change
// as `CSI 48 ; rows ; columns ; height ; width t`. Both reports are taken out of the input wherever
// they come.
//
// A sequence is held until it is whole, and then taken out or passed on in one piece: programs don't
// wait for its parts either. But Escape is a key as well, so not for long.
#include "shell/terminal.h"

#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/string.h"
#include "shell/input.h"
#include "shell/output.h"
#include "shell/shell.h"

enum : u64 {
    ANSWER_NS_MAX = 200'000'000,
    ESCAPE_NS = 60'000'000,    // a single Escape is most probably the key
    REPORT_NS = 1'000'000'000, // what goes on like a report most probably is one, in pieces
};
enum {
    HELD_BYTES_MAX = 40,
    REPORT_CHANGE = 48,
    REPORT_SIZE = 8,
    NUMBERS_MAX = 5,
    LINES_MAX = 9999,
    KEY_CTRL_P = 16,
    KEY_CTRL_Q = 17,
    KEY_ESCAPE = 27,
};

static struct {
    struct terminal_size size;
    bool was_answered;
    char held[HELD_BYTES_MAX];
    u32 held_bytes;
    u32 released_bytes; // of the held ones, to be given to the program as they are
    u64 held_since_ns;
    char early[CONTAINER_STREAM_BYTES_MAX]; // typed before the answer
    u32 early_bytes;
} state = {.size = {24, 80}};

static const char ask[] = "\033[?2048h\033[18t";
static const char ask_no_more[] = "\033[?2048l";

static u64 now_ns(void) {
    u64 now = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now);
    return now;
}

// The numbers of a report that is whole; how many there are, 0 if it is none.
static u32 numbers_read(const char *text, u32 size_bytes, u32 *numbers) {
    u32 count = 1;
    numbers[0] = 0;
    for (u32 i = 2; i + 1 < size_bytes; i++) {
        if (text[i] == ';' && count < NUMBERS_MAX)
            numbers[count++] = 0;
        else if (text[i] >= '0' && text[i] <= '9' && numbers[count - 1] <= LINES_MAX)
            numbers[count - 1] = numbers[count - 1] * 10 + (u32)(text[i] - '0');
        else
            return 0;
    }
    return count;
}

enum held : u32 { HELD_OTHER, HELD_PART, HELD_REPORT, HELD_DETACH };

// `ESC [`, numbers and `;`, and a last byte that says what it is.
static enum held sequence_classify(void) {
    u8 last = (u8)state.held[state.held_bytes - 1];
    if (state.held_bytes == 1) return HELD_PART;
    if (state.held_bytes == 2) return last == '[' ? HELD_PART : HELD_OTHER;
    if (last >= ' ' && last < '@')
        return state.held_bytes < HELD_BYTES_MAX ? HELD_PART : HELD_OTHER;
    return last == 't' ? HELD_REPORT : HELD_OTHER;
}

static enum held held_classify(void) {
    if (state.held[0] != KEY_CTRL_P) return sequence_classify();
    if (state.held_bytes == 1) return HELD_PART;
    return state.held[1] == KEY_CTRL_Q ? HELD_DETACH : HELD_OTHER;
}

static void held_release(void) { state.released_bytes = state.held_bytes; }

static enum terminal_event report_take(void) {
    u32 numbers[NUMBERS_MAX];
    u32 count = numbers_read(state.held, state.held_bytes, numbers);
    bool is_report = count >= 3 && (numbers[0] == REPORT_CHANGE || numbers[0] == REPORT_SIZE);
    if (!is_report || numbers[1] == 0 || numbers[2] == 0) {
        held_release();
        return TERMINAL_NOTHING;
    }
    state.held_bytes = 0;
    struct terminal_size size = {min(numbers[1], (u32)LINES_MAX), min(numbers[2], (u32)LINES_MAX)};
    bool is_same = size.rows == state.size.rows && size.columns == state.size.columns;
    state.size = size;
    state.was_answered = true;
    return is_same ? TERMINAL_NOTHING : TERMINAL_RESIZED;
}

// Not when more came while we were late.
void terminal_release(void) {
    input_poll(INPUT_KEEP);
    if (input_is_empty()) held_release();
}

// One more byte of what is held, or the first.
static enum terminal_event hold(char byte) {
    state.held_since_ns = now_ns();
    state.held[state.held_bytes++] = byte;
    switch (held_classify()) {
    case HELD_REPORT: return report_take();
    case HELD_DETACH: state.held_bytes = 0; return TERMINAL_DETACHED;
    case HELD_OTHER: held_release(); break;
    case HELD_PART: break;
    }
    return TERMINAL_NOTHING;
}

// Gives what was held in vain to the program. False: the buffer is full.
static bool released_give(char *buffer, u32 size_bytes, u32 *used) {
    u32 given = 0;
    while (given < state.released_bytes && *used < size_bytes) {
        buffer[(*used)++] = state.held[given++];
    }
    for (u32 i = given; i < state.held_bytes; i++) {
        state.held[i - given] = state.held[i];
    }
    state.held_bytes -= given;
    state.released_bytes -= given;
    return state.released_bytes == 0;
}

// `buffer` has room for all that can be early.
static void early_give(char *buffer, u32 *used) {
    memcpy(buffer, state.early, state.early_bytes);
    *used = state.early_bytes;
    state.early_bytes = 0;
}

enum terminal_event terminal_take(char *buffer, u32 size_bytes, u32 *used) {
    i32 byte;
    early_give(buffer, used);
    while (released_give(buffer, size_bytes, used) && *used < size_bytes &&
           (byte = input_take()) >= 0) {
        if (state.held_bytes == 0 && byte != KEY_ESCAPE && byte != KEY_CTRL_P) {
            buffer[(*used)++] = (char)byte;
            continue;
        }
        enum terminal_event event = hold((char)byte);
        if (event != TERMINAL_NOTHING) return event;
    }
    return TERMINAL_NOTHING;
}

u64 terminal_deadline_ns(void) {
    bool is_held = state.held_bytes > 0 && state.held[0] == KEY_ESCAPE;
    if (!is_held) return CL_DEADLINE_NEVER;
    return state.held_since_ns + (state.held_bytes == 1 ? ESCAPE_NS : REPORT_NS);
}

struct terminal_size terminal_size(void) { return state.size; }

// Waits for the answer; what else is typed meanwhile is the program's.
static void answer_await(void) {
    u64 deadline_ns = now_ns() + ANSWER_NS_MAX;
    status_t status = OK;
    u32 observed;
    while (status == OK && !state.was_answered && state.early_bytes < sizeof(state.early)) {
        u32 used;
        input_poll(INPUT_KEEP);
        u32 early_bytes = state.early_bytes;
        state.early_bytes = 0;
        terminal_take(state.early + early_bytes, sizeof(state.early) - early_bytes, &used);
        state.early_bytes = early_bytes + used;
        if (!state.was_answered)
            status = object_wait(console_input(&shell.console), SIGNAL_READABLE, 0, deadline_ns,
                                 &observed);
    }
}

// In a container the terminal's owner outside takes the reports, and has said what they say.
static void size_given(void) {
    const char *text = records_value(&shell.startup->records, 'o', "tty");
    u32 numbers[2] = {0, 0};
    u32 count = 0;
    for (; text && *text && count < 2; text++) {
        if (*text == 'x')
            count++;
        else if (*text >= '0' && *text <= '9' && numbers[count] <= LINES_MAX)
            numbers[count] = numbers[count] * 10 + (u32)(*text - '0');
    }
    if (numbers[0] > 0 && numbers[1] > 0)
        state.size = (struct terminal_size){numbers[0], numbers[1]};
}

struct terminal_size terminal_begin(void) {
    memset(&state, 0, sizeof(state));
    state.size = (struct terminal_size){24, 80};
    if (!shell.console.serial) size_given();
    if (shell.command || !shell.console.serial) return state.size;
    output_write(STREAM_TERMINAL, ask, sizeof(ask) - 1);
    output_flush();
    answer_await();
    return state.size;
}

void terminal_end(void) {
    if (shell.command || !shell.console.serial) return;
    output_write(STREAM_TERMINAL, ask_no_more, sizeof(ask_no_more) - 1);
    output_flush();
}
