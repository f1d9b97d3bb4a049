// Terminals. One is a line discipline between two sides: programs, which have it open as
// /dev/pts/N, and its master: a program with /dev/ptmx open (pty.c), or the container's own
// terminal (console.c).
//
//    typed → discipline (input.c) → input → read
//    screen ← output ← discipline (output.c) ← write, echo
//
// Rules:
// - a terminal's references are its vnode's; the master holds one until it hangs up, each open file
//   another;
// - terminal->lock comes before tasks.lock; the master's functions are called with terminal->lock
//   held and must not wait;
// - `changed` is woken at every change that a reader, a writer or a poll could wait for.
#pragma once

#include "lib/list.h"
#include "linux/copy.h"
#include "linux/process.h"
#include "linux/tty/termios.h"
#include "linux/vfs.h"
#include "linux/waiting.h"

enum {
    TERMINAL_INPUT_BYTES = 4096,
    TERMINAL_OUTPUT_BYTES = 4096,
    TERMINAL_ECHO_BYTES = 512, // of the output, that a program's writes leave free for the echo
};

struct terminal;

struct terminal_master {
    void (*output)(struct terminal *terminal);  // there are bytes to be shown; may be NULL
    void (*room)(struct terminal *terminal);    // the discipline takes input again; may be NULL
    void (*release)(struct terminal *terminal); // the last reference is gone; may be NULL
};

// What was typed and not read yet: a ring, by counters that never wrap back. In canonical mode what
// is before `line_end` are whole lines, and a set bit marks the last byte of each.
struct terminal_input {
    u8 bytes[TERMINAL_INPUT_BYTES];
    u64 marks[TERMINAL_INPUT_BYTES / 64];
    u32 head; // of what is typed next
    u32 tail; // of what is read next
    u32 line_end;
    bool is_literal; // the next byte is taken as it is (Ctrl-V)
    bool is_erasing; // between \ and / of ECHOPRT
};

// What is to be shown and the master has not taken yet, and where the cursor is then.
struct terminal_output {
    u8 bytes[TERMINAL_OUTPUT_BYTES];
    u32 head;
    u32 tail;
    u32 column;
    u32 line_column; // where the line that is being typed began
};

struct terminal {
    struct vnode vnode; // /dev/pts/N
    const struct terminal_master *master;
    void *master_private;
    u32 number;
    struct mutex lock;
    struct waitqueue changed;
    // under lock:
    struct linux_termios termios GUARDED_BY(&lock);
    struct linux_winsize size GUARDED_BY(&lock);
    struct terminal_input input GUARDED_BY(&lock);
    struct terminal_output output GUARDED_BY(&lock);
    u32 slaves GUARDED_BY(&lock);         // open files of the programs' side
    bool is_slave_gone GUARDED_BY(&lock); // there were some, and the last was closed
    bool is_stopped GUARDED_BY(&lock);    // Ctrl-S
    bool is_locked GUARDED_BY(&lock);     // TIOCSPTLCK
    bool is_exclusive GUARDED_BY(&lock);  // TIOCEXCL
    bool is_hung_up;                      // atomic; never again false
    struct attributes attributes GUARDED_BY(&lock);
    // under tasks.lock:
    struct list all;
    i32 session;    // whose controlling terminal it is; 0: nobody's
    i32 foreground; // group; 0: none
};

// Makes one with the lowest free number and the caller's reference. -ENOMEM, -ENOSPC.
int terminal_create(const struct terminal_master *master, void *master_private,
                    struct terminal **out);
struct terminal *terminal_get(struct terminal *terminal);
void terminal_put(struct terminal *terminal);
// The one with this number, counted; or NULL.
struct terminal *terminal_find(u32 number);
// The lowest number in use from `first` on; -1: none.
i32 terminal_next(u32 first);
// The master is gone: the session gets SIGHUP, readers the end, writers EIO. The number is free.
void terminal_hang_up(struct terminal *terminal);

// Opens the programs' side: `file` gets its operations. Whether it becomes the controlling terminal
// is terminal_adopt's.
int terminal_open(struct thread *thread, struct terminal *terminal, struct file *file);
bool terminal_is_hung_up(const struct terminal *terminal);
// Settings, sizes, and all the requests of ioctl that both sides take.
i64 terminal_ioctl(struct thread *thread, struct terminal *terminal, u32 request,
                   linux_ptr argument);
void terminal_set_size(struct terminal *terminal, struct linux_winsize size);

// The discipline: what is typed. False: there is no room now.
bool terminal_take_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock);
bool terminal_has_room_locked(const struct terminal *terminal) REQUIRES(&terminal->lock);
void terminal_input_flush_locked(struct terminal *terminal) REQUIRES(&terminal->lock);
// What follows from changed settings for the bytes that are there.
void terminal_settings_changed_locked(struct terminal *terminal, const struct linux_termios *old)
    REQUIRES(&terminal->lock);
// Ctrl-W and its like; erase.c.
void terminal_erase_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock);
void terminal_erase_finish_locked(struct terminal *terminal) REQUIRES(&terminal->lock);

// The discipline: what is shown. Takes as much of the buffer as there is room for.
usize terminal_show_locked(struct terminal *terminal, const u8 *buffer, usize size)
    REQUIRES(&terminal->lock);
// Whether it would take a byte.
bool terminal_may_show_locked(const struct terminal *terminal) REQUIRES(&terminal->lock);
void terminal_echo_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock);
// As it is, but for what the settings make of any output.
void terminal_echo_plain_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock);
// Straight, as the caller knows what it does to the column.
void terminal_echo_raw_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock);
// What is next to be shown, in one piece; whoever takes it moves output.tail on.
const u8 *terminal_output_peek_locked(const struct terminal *terminal, usize *size)
    REQUIRES(&terminal->lock);
void terminal_output_flush_locked(struct terminal *terminal) REQUIRES(&terminal->lock);
void terminal_stop_locked(struct terminal *terminal) REQUIRES(&terminal->lock);
void terminal_go_locked(struct terminal *terminal) REQUIRES(&terminal->lock);

// Told after changes, with the lock held.
void terminal_output_ready_locked(struct terminal *terminal) REQUIRES(&terminal->lock);
void terminal_room_ready_locked(struct terminal *terminal) REQUIRES(&terminal->lock);

static inline bool terminal_is_continuation(const struct terminal *terminal, u8 byte)
    REQUIRES(&terminal->lock) {
    return (terminal->termios.input & IUTF8) && (byte & 0xc0) == 0x80;
}

static inline bool byte_is_control(u8 byte) { return byte < 0x20 || byte == 0x7f; }

static inline bool terminal_has_local(const struct terminal *terminal, u32 flags)
    REQUIRES(&terminal->lock) {
    return (terminal->termios.local & flags) == flags;
}
