// The container's own terminal: its channels, and what becomes of them.
#include "linux_test.h"

#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/tty/console.h"

enum { LINES = 160, LINE_BYTES = 50, TYPED_BYTES = LINES * LINE_BYTES };

static const struct console_channels channels = {.input = 5, .output = 6};

static void sleep_ms(u64 ms) {
    u32 word = 0;
    kernel_futex_wait(&word, 0, WAIT_PLAIN, kernel_monotonic_ns() + ms * 1'000'000);
}

static struct terminal *console_make(i32 *fd) {
    struct terminal *terminal;
    struct file *file;
    CHECK_IS(console_create(&channels, "24x80", &terminal), 0);
    CHECK_IS(console_open(first, terminal, &file), 0);
    *fd = descriptor_install(first, file, 0, 0);
    CHECK_IS(*fd >= 0, true);
    return terminal;
}

// More is typed than there is room for: the rest comes when a program reads, and is echoed.
static void test_echo(void) {
    static char typed[TYPED_BYTES];
    static char shown[2 * TYPED_BYTES];
    i32 fd;
    i64 total = 0;
    for (usize i = 0; i < TYPED_BYTES; i++)
        typed[i] = i % LINE_BYTES == LINE_BYTES - 1 ? '\n' : (char)('a' + i / LINE_BYTES % 26);
    fake_stream(typed, sizeof(typed));
    fake_stream_take(shown, sizeof(shown), -EPIPE);
    struct terminal *terminal = console_make(&fd);
    while (total < TYPED_BYTES) {
        i64 count = CALL3(first, NR_READ, fd, buffer, 4096);
        if (count <= 0) break;
        CHECK_IS(memcmp(buffer, typed + total, (usize)count), 0);
        total += count;
    }
    CHECK_IS(total, TYPED_BYTES);
    CHECK_IS(fake_stream_taken(), TYPED_BYTES + LINES);
    for (usize i = 0; i < LINES; i++)
        CHECK_IS(memcmp(shown + i * (LINE_BYTES + 1), typed + i * LINE_BYTES, LINE_BYTES - 1), 0);
    fake_stream_take(NULL, 0, 0);
    close_fd(fd);
    console_end(terminal);
}

// A client that comes too late finds nobody; nothing is watched for it.
static void test_late_client(void) {
    i32 fd;
    fake_stream_is_open = true;
    struct terminal *terminal = console_make(&fd);
    terminal_get(terminal);
    sleep_ms(5);
    console_end(terminal);
    console_attach(terminal, &channels);
    close_fd(fd);
    terminal_put(terminal);
    sleep_ms(20);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_echo();
    test_late_client();
    return failures ? 1 : 0;
}
