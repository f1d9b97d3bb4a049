#include "cloister.h"

#include "lib/format.h"
#include "lib/serial_io.h"

enum { SERIAL_WRITE_MAX = 65536 }; // bytes in one system call

status_t serial_write_all(handle_t serial, const void *bytes, usize size_bytes) {
    const u8 *at = bytes;
    while (size_bytes > 0) {
        u64 written = 0;
        u32 observed;
        status_t status =
            serial_write(serial, at, min(size_bytes, (usize)SERIAL_WRITE_MAX), &written);
        if (status == ERR_SHOULD_WAIT) {
            status = object_wait(serial, SIGNAL_WRITABLE, 0, CL_DEADLINE_NEVER, &observed);
        }
        if (status != OK) {
            return status;
        }
        at += written;
        size_bytes -= written;
    }
    return OK;
}

status_t serial_print(handle_t serial, const char *format, ...) {
    char text[SERIAL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    usize size = format_text_args(text, sizeof(text), format, args);
    va_end(args);
    return serial_write_all(serial, text, min(size, sizeof(text) - 1));
}
