// The personality's system calls with whatever arguments: a script of calls over files, paths,
// descriptors and pointers, on the fake kernel. libFuzzer with ASan and UBSan finds what the
// decoding, the path walk or the layer do wrong with them.
//
// Linux memory is one area here; copies check that they stay in it, so a pointer may be anything.
// A signal with a handler is pending all the time, so that no call waits. What a script changed is put back before
// the next one as far as can be: descriptors, credentials, limits, mappings, mounts, what it made in the root
// and /tmp. Then all references are counted anew (references.h).
#include "fake_kernel.h"

#include "fuzz_calls_table.h"
#include "references.h"
#include "linux/calls.h"
#include "linux/copy.h"
#include "linux/credentials.h"
#include "linux/signal.h"
#include "linux/system.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AREA_BYTES = 1 << 16,
    PATHS = 24,
    PATH_BYTES = 64,
    CALLS_MAX = 80,
    DESCRIPTORS = 40,
    NR_CLOSE = 3,
    NR_MUNMAP = 11,
    NR_LINK_UNLINK = 87,
    NR_RMDIR = 84,
    NR_UMOUNT2 = 166,
    NR_GETDENTS64 = 217,
    NR_OPEN = 2,
    NR_CHDIR = 80,
    MNT_DETACH = 2,
};

static u8 area[AREA_BYTES];
static struct thread *first;
static bool checks_each; // FUZZ_CHECK_EACH is set: after each call, to find which one it was
static u64 calls_made;
static u64 calls_passed; // without an error
static struct linux_rlimit limits[16];

static const char *const paths[PATHS] = {
    "/",
    "a",
    "/a",
    "/a/b",
    "/tmp/a",
    "/tmp/b/",
    "../a",
    "/tmp/a/../b/c",
    ".",
    "..",
    "/etc",
    "/etc/passwd",
    "/bin/ls",
    "/tmp",
    "",
    "/proc/self/fd/3",
    "/dev/null",
    "/dev/ptmx",
    "/proc/self/status",
    "/bin/busybox",
    "/tmp/l",
    "/proc/mounts",
    "/proc/self/cwd/a",
    "//tmp//./a//",
};

// ---- Linux memory ----

static u8 *area_at(linux_ptr pointer, usize size) {
    u64 start = (u64)area;
    bool is_inside = pointer.address >= start && pointer.address <= start + AREA_BYTES &&
                     size <= start + AREA_BYTES - pointer.address;
    return is_inside ? (u8 *)pointer.address : NULL;
}

int copy_from_linux(void *target, linux_ptr source, usize size) {
    const u8 *at = area_at(source, size);
    if (!at) return -EFAULT;
    if (size > 0) memcpy(target, at, size);
    return 0;
}

int copy_to_linux(linux_ptr target, const void *source, usize size) {
    u8 *at = area_at(target, size);
    if (!at) return -EFAULT;
    if (size > 0) memcpy(at, source, size);
    return 0;
}

int clear_linux(linux_ptr target, usize size) {
    u8 *at = area_at(target, size);
    if (!at) return -EFAULT;
    memset(at, 0, size);
    return 0;
}

i64 copy_string_from_linux(char *target, linux_ptr source, usize size) {
    for (usize i = 0; i < size; i++) {
        if (copy_from_linux(target + i, linux_offset(source, i), 1) != 0) return -EFAULT;
        if (target[i] == 0) return (i64)i;
    }
    return -ENAMETOOLONG;
}

int load_linux_u32(linux_ptr source, u32 *value) {
    return source.address & 3 ? -EINVAL : copy_from_linux(value, source, sizeof(*value));
}

// ---- a script ----

struct script {
    const u8 *at;
    const u8 *end;
};

static u8 take(struct script *script) { return script->at < script->end ? *script->at++ : 0; }

static u64 take_word(struct script *script) {
    u64 word = 0;
    for (u32 i = 0; i < 8; i++) {
        word = word << 8 | take(script);
    }
    return word;
}

// A small number mostly, else any.
static u64 take_number(struct script *script) {
    u8 kind = take(script);
    switch (kind & 7) {
    case 0: return take_word(script);
    case 1: return (u64)take(script) * PAGE_SIZE;
    case 2: return ~(u64)take(script);
    case 3: return (u64)take(script) << 8 | take(script);
    case 4: return 1UL << (take(script) & 63);
    default: return take(script);
    }
}

// Sizes that have to be gone through are not too large.
static u64 take_size(struct script *script, u32 number) {
    enum { NR_SENDFILE = 40, NR_FALLOCATE = 285, SIZE_MAX_COPIED = 1 << 18 };
    u64 size = take_number(script);
    bool is_copied = number == NR_SENDFILE || number == 326 || number == 275 || number == 276;
    return is_copied || number == NR_FALLOCATE ? size % SIZE_MAX_COPIED : size;
}

static u64 take_pointer(struct script *script) {
    u8 kind = take(script);
    switch (kind & 7) {
    case 0: return 0;
    case 1: return take_word(script);
    case 2: return (u64)area + AREA_BYTES - (kind >> 3);
    case 3: return (u64)area + PATHS * PATH_BYTES + (u64)take(script) * 64;
    default: return (u64)area + (u64)(take(script) % PATHS) * PATH_BYTES;
    }
}

static u64 take_argument(struct script *script, char kind, u32 number) {
    switch (kind) {
    case 'p': return take_pointer(script);
    case 'd': {
        u8 byte = take(script);
        return byte & 0x80 ? (u64)AT_FDCWD : byte & 0x40 ? take_number(script) : byte % 16;
    }
    case 's': return take_size(script, number);
    default: return number == 285 ? take_size(script, number) : take_number(script);
    }
}

// By number, so that saved scripts mean the same when there are more calls; the one before for a
// number that is none.
static const struct fuzzed_call *call_of(u32 number) {
    u32 index = 0;
    while (index + 1 < FUZZED_CALLS && fuzzed_calls[index + 1].number <= number) {
        index++;
    }
    return &fuzzed_calls[index];
}

static void references_expect(const struct fuzzed_call *call) {
    if (references_check()) return;
    if (call) fprintf(stderr, "after call %u\n", call->number);
    abort();
}

// Puts bytes into Linux memory, or makes a call.
static void step(struct script *script) {
    u8 which = take(script);
    if (which == 0xff) {
        u64 offset = (u64)take(script) * 32;
        u8 count = take(script) % 64;
        for (u8 i = 0; i < count; i++) {
            area[offset + i] = take(script);
        }
        return;
    }
    const struct fuzzed_call *call = call_of(which | (take(script) & 1u) << 8);
    u64 arguments[6] = {};
    for (u32 i = 0; call->kinds[i]; i++) {
        arguments[i] = take_argument(script, call->kinds[i], call->number);
    }
    if (call->number == NR_OPEN) arguments[1] |= O_NONBLOCK;
    i64 result = fake_call(first, call->number, arguments[0], arguments[1], arguments[2],
                           arguments[3], arguments[4], arguments[5]);
    calls_made++;
    calls_passed += result >= 0;
    if (checks_each) references_expect(call);
}

// ---- before the next script ----

static void call_path(u64 number, const char *name, u64 argument) {
    strcpy((char *)area, name);
    fake_call(first, number, (u64)area, argument, 0, 0, 0, 0);
}

static void remove_in(const char *directory, u32 depth, bool is_all) {
    static struct linux_dirent64 *entry;
    char names[64][PATH_BYTES * 2];
    u32 count = 0;
    strcpy((char *)area, directory);
    i64 fd = fake_call(first, NR_OPEN, (u64)area, O_DIRECTORY, 0, 0, 0, 0);
    i64 size =
        fd < 0 ? fd : fake_call(first, NR_GETDENTS64, (u64)fd, (u64)area + 4096, 8192, 0, 0, 0);
    for (i64 at = 0; at < size && count < 64; at += entry->size) {
        entry = (struct linux_dirent64 *)(area + 4096 + at);
        bool is_kept = entry->name[0] == '.' && (entry->name[1] == 0 || entry->name[1] == '.');
        bool is_short = strlen(directory) + strlen(entry->name) + 2 < sizeof(names[0]);
        if (!is_kept && is_short && (is_all || strlen(entry->name) == 1)) {
            snprintf(names[count++], sizeof(names[0]), "%s/%s", directory, entry->name);
        }
    }
    fake_call(first, NR_CLOSE, (u64)fd, 0, 0, 0, 0, 0);
    for (u32 i = 0; i < count; i++) {
        call_path(NR_UMOUNT2, names[i], MNT_DETACH);
        call_path(NR_LINK_UNLINK, names[i], 0);
        if (depth > 0) remove_in(names[i], depth - 1, true);
        call_path(NR_RMDIR, names[i], 0);
    }
}

static void reset(void) {
    struct process *process = first->process;
    credentials_set(process, credentials_get(&credentials_root));
    memcpy(process->limits, limits, sizeof(process->limits));
    fs_context_set_root(process->fs, system_root());
    fs_context_set_cwd(process->fs, system_root());
    for (u64 fd = 0; fd < DESCRIPTORS; fd++) {
        fake_call(first, NR_CLOSE, fd, 0, 0, 0, 0, 0);
    }
    fake_call(first, NR_MUNMAP, CL_LINUX_BASE, CL_LINUX_LIMIT - CL_LINUX_BASE, 0, 0, 0, 0);
    references_mounts_end();
    remove_in("", 2, false);
    remove_in("/tmp", 2, true);
    memset(area, 0, sizeof(area));
    for (u32 i = 0; i < PATHS; i++) {
        strcpy((char *)area + i * PATH_BYTES, paths[i]);
    }
}

// Handled, so that it is not ignored, as what has no handler is by the first process.
static void signal_pend(void) {
    enum { NR_SIGACTION = 13 };
    struct linux_sigaction action = {.handler = PAGE_SIZE};
    memcpy(area, &action, sizeof(action));
    fake_call(first, NR_SIGACTION, SIGUSR1, (u64)area, 0, sizeof(u64), 0, 0);
    signal_send_thread(first, &(struct queued_signal){.signal = SIGUSR1});
}

// For who runs the fuzzer: that it did something.
static void say_calls(void) {
    fprintf(stderr, "calls: %lu made, %lu without an error\n", calls_made, calls_passed);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    enum { IMAGE_BYTES_MAX = 16 << 20 };
    const char *name = getenv("FUZZ_IMAGE");
    FILE *file = name ? fopen(name, "rb") : NULL;
    if (!file) {
        fprintf(stderr, "FUZZ_IMAGE names no image\n");
        exit(2);
    }
    u8 *image = malloc(IMAGE_BYTES_MAX);
    u64 size = fread(image, 1, IMAGE_BYTES_MAX, file);
    fclose(file);
    first = fake_boot(image, size);
    checks_each = getenv("FUZZ_CHECK_EACH") != NULL;
    atexit(say_calls);
    signal_pend();
    memcpy(limits, first->process->limits, sizeof(first->process->limits));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct script script = {data, data + size};
    reset();
    for (u32 i = 0; i < CALLS_MAX && script.at < script.end; i++) {
        step(&script);
    }
    references_expect(NULL);
    return 0;
}
