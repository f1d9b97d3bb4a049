// The smallest program that a container can run: its first instruction is a marker, its second
// thought is to leave. Linux (from an initramfs) and Cloister (image `tiny`) start the same file.
#include "../../userland/lib/marker.h"
#include "linux.h"

[[gnu::naked, noreturn]] void _start(void);
void _start(void) {
    MARK(MARKER_CONTAINER_FIRST);
    __asm__ volatile("xor %edi, %edi\n"
                     "mov $60, %eax\n" // SYS_exit
                     "syscall\n");
}
