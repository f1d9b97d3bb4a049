// The requests about a terminal's settings, size and bytes, for both of its sides.
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/credentials.h"
#include "linux/thread.h"
#include "linux/tty/session.h"
#include "linux/tty/terminal.h"

enum { TERMIO_CHARACTERS = 8 };

static i64 settings_get(struct terminal *terminal, linux_ptr argument, usize size) {
    mutex_lock(&terminal->lock);
    struct linux_termios termios = terminal->termios;
    mutex_unlock(&terminal->lock);
    return copy_to_linux(argument, &termios, size);
}

static i64 settings_get_old(struct terminal *terminal, linux_ptr argument) {
    struct linux_termio old = {};
    mutex_lock(&terminal->lock);
    const struct linux_termios *termios = &terminal->termios;
    old.input = (u16)termios->input;
    old.output = (u16)termios->output;
    old.control = (u16)termios->control;
    old.local = (u16)termios->local;
    memcpy(old.characters, termios->characters, TERMIO_CHARACTERS);
    mutex_unlock(&terminal->lock);
    return copy_to_linux(argument, &old, sizeof(old));
}

enum settings_form { FORM_TERMIO, FORM_TERMIOS, FORM_TERMIOS2 };

// Over the current settings, which keep what a form does not say.
static int settings_read(struct linux_termios *termios, linux_ptr argument,
                         enum settings_form form) {
    struct linux_termio old;
    if (form == FORM_TERMIOS) return copy_from_linux(termios, argument, LINUX_TERMIOS_BYTES);
    if (form == FORM_TERMIOS2) return copy_from_linux(termios, argument, sizeof(*termios));
    if (copy_from_linux(&old, argument, sizeof(old)) != 0) return -EFAULT;
    termios->input = (termios->input & ~0xffffU) | old.input;
    termios->output = (termios->output & ~0xffffU) | old.output;
    termios->control = (termios->control & ~0xffffU) | old.control;
    termios->local = (termios->local & ~0xffffU) | old.local;
    memcpy(termios->characters, old.characters, TERMIO_CHARACTERS);
    return 0;
}

enum settings_when { SET_NOW, SET_FLUSHED };

static i64 settings_set(struct thread *thread, struct terminal *terminal, linux_ptr argument,
                        enum settings_form form, enum settings_when when) {
    int result = terminal_job_check(thread, terminal, SIGTTOU);
    if (result != 0) return result;
    mutex_lock(&terminal->lock);
    struct linux_termios termios = terminal->termios;
    mutex_unlock(&terminal->lock);
    if (settings_read(&termios, argument, form) != 0) return -EFAULT;
    mutex_lock(&terminal->lock);
    struct linux_termios old = terminal->termios;
    if (when == SET_FLUSHED) terminal_input_flush_locked(terminal);
    terminal->termios = termios;
    terminal_settings_changed_locked(terminal, &old);
    mutex_unlock(&terminal->lock);
    return 0;
}

static i64 size_get(struct terminal *terminal, linux_ptr argument) {
    mutex_lock(&terminal->lock);
    struct linux_winsize size = terminal->size;
    mutex_unlock(&terminal->lock);
    return copy_to_linux(argument, &size, sizeof(size));
}

static i64 size_set(struct terminal *terminal, linux_ptr argument) {
    struct linux_winsize size;
    if (copy_from_linux(&size, argument, sizeof(size)) != 0) return -EFAULT;
    terminal_set_size(terminal, size);
    return 0;
}

static i64 flush(struct thread *thread, struct terminal *terminal, u64 which) {
    int result = terminal_job_check(thread, terminal, SIGTTOU);
    if (result != 0) return result;
    if (which > TCIOFLUSH) return -EINVAL;
    mutex_lock(&terminal->lock);
    if (which != TCOFLUSH) terminal_input_flush_locked(terminal);
    if (which != TCIFLUSH) terminal_output_flush_locked(terminal);
    mutex_unlock(&terminal->lock);
    return 0;
}

// TCIOFF and TCION tell the other side by a byte.
static i64 flow(struct thread *thread, struct terminal *terminal, u64 which) {
    int result = terminal_job_check(thread, terminal, SIGTTOU);
    if (result != 0) return result;
    if (which > TCION) return -EINVAL;
    mutex_lock(&terminal->lock);
    const u8 *characters = terminal->termios.characters;
    u8 byte = which == TCIOFF ? characters[VSTOP] : characters[VSTART];
    if (which == TCOOFF) {
        terminal_stop_locked(terminal);
    } else if (which == TCOON) {
        terminal_go_locked(terminal);
    } else if (byte != CONTROL_DISABLED) {
        terminal_echo_raw_locked(terminal, byte);
        terminal_output_ready_locked(terminal);
    }
    mutex_unlock(&terminal->lock);
    return 0;
}

static i64 readable(struct terminal *terminal, linux_ptr argument) {
    mutex_lock(&terminal->lock);
    const struct terminal_input *input = &terminal->input;
    u32 end = terminal_has_local(terminal, ICANON) ? input->line_end : input->head;
    i32 count = (i32)(end - input->tail);
    mutex_unlock(&terminal->lock);
    return copy_to_linux(argument, &count, sizeof(count));
}

// Only into one's own terminal.
static bool may_type(struct thread *thread, const struct terminal *terminal) {
    mutex_lock(&tasks.lock);
    bool is_own = terminal->session == thread->process->session;
    mutex_unlock(&tasks.lock);
    return is_own || credentials_have(thread->process->credentials, CAP_SYS_ADMIN);
}

static i64 type_byte(struct thread *thread, struct terminal *terminal, linux_ptr argument) {
    u8 byte;
    if (!may_type(thread, terminal)) return -EPERM;
    if (copy_from_linux(&byte, argument, sizeof(byte)) != 0) return -EFAULT;
    mutex_lock(&terminal->lock);
    terminal_take_locked(terminal, byte);
    terminal_output_ready_locked(terminal);
    mutex_unlock(&terminal->lock);
    return 0;
}

static i64 exclusive_set(struct terminal *terminal, bool is_exclusive) {
    mutex_lock(&terminal->lock);
    terminal->is_exclusive = is_exclusive;
    mutex_unlock(&terminal->lock);
    return 0;
}

static i64 zero_give(linux_ptr argument) {
    i32 zero = 0;
    return copy_to_linux(argument, &zero, sizeof(zero));
}

// There is one discipline: N_TTY, number 0.
static i64 discipline_set(linux_ptr argument) {
    i32 number;
    if (copy_from_linux(&number, argument, sizeof(number)) != 0) return -EFAULT;
    return number == 0 ? 0 : -EINVAL;
}

static i64 bytes_ioctl(struct thread *thread, struct terminal *terminal, u32 request,
                       linux_ptr argument) {
    switch (request) {
    case FIONREAD: return readable(terminal, argument);
    case TIOCOUTQ: return zero_give(argument); // what is written is as good as shown, as with ptys
    case TCFLSH: return flush(thread, terminal, argument.address);
    case TCXONC: return flow(thread, terminal, argument.address);
    case TCSBRK:
    case TCSBRKP: return terminal_job_check(thread, terminal, SIGTTOU);
    case TIOCSTI: return type_byte(thread, terminal, argument);
    case TIOCEXCL: return exclusive_set(terminal, true);
    case TIOCNXCL: return exclusive_set(terminal, false);
    case TIOCGETD: return zero_give(argument);
    case TIOCSETD: return discipline_set(argument);
    default: return -ENOTTY;
    }
}

i64 terminal_ioctl(struct thread *thread, struct terminal *terminal, u32 request,
                   linux_ptr argument) {
    switch (request) {
    case TCGETS: return settings_get(terminal, argument, LINUX_TERMIOS_BYTES);
    case TCGETS2: return settings_get(terminal, argument, sizeof(struct linux_termios));
    case TCGETA: return settings_get_old(terminal, argument);
    case TCSETS:
    case TCSETSW: return settings_set(thread, terminal, argument, FORM_TERMIOS, SET_NOW);
    case TCSETSF: return settings_set(thread, terminal, argument, FORM_TERMIOS, SET_FLUSHED);
    case TCSETS2:
    case TCSETSW2: return settings_set(thread, terminal, argument, FORM_TERMIOS2, SET_NOW);
    case TCSETSF2: return settings_set(thread, terminal, argument, FORM_TERMIOS2, SET_FLUSHED);
    case TCSETA:
    case TCSETAW: return settings_set(thread, terminal, argument, FORM_TERMIO, SET_NOW);
    case TCSETAF: return settings_set(thread, terminal, argument, FORM_TERMIO, SET_FLUSHED);
    case TIOCGWINSZ: return size_get(terminal, argument);
    case TIOCSWINSZ: return size_set(terminal, argument);
    default: return bytes_ioctl(thread, terminal, request, argument);
    }
}
