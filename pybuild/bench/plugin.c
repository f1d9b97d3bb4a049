// The bench's QEMU plugin: counts executed instructions per virtual CPU, and at each marker
// (userland/lib/marker.h) writes one line "MARKER VCPU INSTRUCTIONS NANOSECONDS".
//
// Arguments: out=FILE, tag=NUMBER (the upper half of a marker's displacement), count=on|off,
// processor=off|on. With count=off the guest runs unhindered and the nanoseconds (host, monotonic) are
// worth reading. processor=on: a fifth number, the processor time that the threads of all virtual
// CPUs have had. range=LOW-HIGH (hexadecimal addresses): a fifth and a sixth number, the instructions
// that all virtual CPUs together have executed in this range, and all that they have executed.
//
// Counting is by translated block, added when a block is entered; a marker takes off what of its
// block comes after it. A block left early by a fault is counted whole: too much by a few
// instructions. Each virtual CPU writes only its own counter, so there is no lock.
//
// Own declarations, from the documented API of QEMU 7.2 (qemu-plugin.h, version 1): Debian ships
// no header.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*exec_callback)(unsigned vcpu, void *userdata);
enum { CALLBACK_NO_REGISTERS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, exec_callback callback,
                                          int flags, void *userdata);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_callback callback,
                                            int flags, void *userdata);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { VCPUS_MAX = 16, NOPL_SIZE = 7 };
// A cache line each, so that virtual CPUs on two host CPUs do not slow one another.
static struct {
    _Alignas(64) uint64_t executed;
    uint64_t in_range;
} vcpus[VCPUS_MAX];
static FILE *out;
static uint32_t tag;
static int counting = 1;
static int processor;
static uint64_t range_low, range_high;
// The clocks of the virtual CPUs' threads.
static clockid_t threads[VCPUS_MAX];
static _Atomic unsigned threads_count;

static void block_entered(unsigned vcpu, void *size) {
    vcpus[vcpu % VCPUS_MAX].executed += (uintptr_t)size;
}

static unsigned long long nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
}

static unsigned long long threads_ns(void) {
    unsigned long long sum_ns = 0;
    for (unsigned i = 0; i < threads_count && i < VCPUS_MAX; i++)
        sum_ns += nanoseconds(threads[i]);
    return sum_ns;
}

// Called by each virtual CPU's thread for whatever it translates.
static void thread_note(void) {
    static _Thread_local int is_noted;
    if (is_noted) return;
    is_noted = 1;
    clockid_t clock;
    if (pthread_getcpuclockid(pthread_self(), &clock) != 0 || threads_count >= VCPUS_MAX) return;
    threads[threads_count] = clock;
    threads_count++;
}

static void range_entered(unsigned vcpu, void *size) {
    vcpus[vcpu % VCPUS_MAX].in_range += (uintptr_t)size;
}

// The numbers after the fourth, where there are any.
static void more_write(void) {
    unsigned long long in_range = 0, executed = 0;
    for (unsigned i = 0; i < VCPUS_MAX; i++) {
        in_range += vcpus[i].in_range;
        executed += vcpus[i].executed;
    }
    if (processor) fprintf(out, " %llu", threads_ns());
    if (range_high) fprintf(out, " %llu %llu", in_range, executed);
}

// `userdata` packs the marker's number (low 16 bits) and how many of the block's instructions
// come after it.
static void marker_hit(unsigned vcpu, void *userdata) {
    uintptr_t packed = (uintptr_t)userdata;
    unsigned marker = (unsigned)(packed & 0xffff);
    unsigned long long executed = vcpus[vcpu % VCPUS_MAX].executed - (packed >> 16);
    unsigned long long wall_ns = nanoseconds(CLOCK_MONOTONIC);
    flockfile(out);
    fprintf(out, "%u %u %llu %llu", marker, vcpu, executed, wall_ns);
    more_write();
    putc_unlocked('\n', out);
    funlockfile(out);
}

// The displacement of a marker, else 0: nopl disp32(%rax) is 0f 1f 80 and the displacement.
static uint32_t marker_of(const struct qemu_plugin_insn *insn) {
    const uint8_t *bytes = qemu_plugin_insn_data(insn);
    uint32_t displacement;
    if (qemu_plugin_insn_size(insn) != NOPL_SIZE || memcmp(bytes, "\x0f\x1f\x80", 3) != 0) return 0;
    memcpy(&displacement, bytes + 3, sizeof(displacement));
    return (displacement & 0xffff0000u) == tag ? displacement : 0;
}

static void block_translated(plugin_id id, struct qemu_plugin_tb *block) {
    size_t count = qemu_plugin_tb_n_insns(block);
    (void)id;
    if (processor) thread_note();
    if (counting)
        qemu_plugin_register_vcpu_tb_exec_cb(block, block_entered, CALLBACK_NO_REGISTERS,
                                             (void *)(uintptr_t)count);
    uint64_t address = qemu_plugin_tb_vaddr(block);
    if (address >= range_low && address < range_high)
        qemu_plugin_register_vcpu_tb_exec_cb(block, range_entered, CALLBACK_NO_REGISTERS,
                                             (void *)(uintptr_t)count);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        uint32_t marker = marker_of(insn);
        if (marker != 0)
            qemu_plugin_register_vcpu_insn_exec_cb(
                insn, marker_hit, CALLBACK_NO_REGISTERS,
                (void *)(((uintptr_t)(count - 1 - i) << 16) | (marker & 0xffff)));
    }
}

static void range_take(const char *text) {
    char *rest;
    range_low = strtoull(text, &rest, 16);
    range_high = *rest == '-' ? strtoull(rest + 1, NULL, 16) : 0;
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info,
                                                               int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
        else if (strncmp(argv[i], "tag=", 4) == 0)
            tag = (uint32_t)strtoul(argv[i] + 4, NULL, 0);
        else if (strcmp(argv[i], "count=off") == 0)
            counting = 0;
        else if (strcmp(argv[i], "processor=on") == 0)
            processor = 1;
        else if (strncmp(argv[i], "range=", 6) == 0)
            range_take(argv[i] + 6);
    }
    if (out == NULL || tag == 0) return -1;
    setvbuf(out, NULL, _IOLBF, 0);
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    return 0;
}
