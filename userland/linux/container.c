// From the start message to the first process: the image is mapped and mounted, the standard
// streams become descriptors 0 to 2, the program is looked for in PATH and loaded.
#include "linux/container.h"

#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/control.h"
#include "linux/descriptors.h"
#include "linux/fs/stream.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/report.h"
#include "linux/system.h"
#include "linux/thread.h"
#include "linux/tty/console.h"
#include "linux/walk.h"

// A usual image lies in the gigabyte of the program's own data, so that they share page tables.
enum : u64 {
    IMAGE_NEAR_ADDRESS = 0x7f8008000000,
    IMAGE_NEAR_BYTES_MAX = 512UL << 20,
    IMAGE_ADDRESS = 0x7f9000000000,
};

static handle_t control;
static handle_t ns;

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static const char default_term[] = "TERM=xterm"; // of a program that gets a terminal

void container_exit(i32 wait_status) {
    if (console_first()) console_drain(console_first());
    i32 signal = wait_status & 0x7f;
    i32 status = signal ? CONTAINER_STATUS_SIGNAL + signal : wait_status >> 8 & 0xff;
    control_report(control, CONTAINER_EXITED, status);
}

void container_memory(u64 *total_bytes, u64 *free_bytes) {
    u64 limit_pages;
    u64 used_pages;
    ledger_pages(ns, &limit_pages, &used_pages);
    *total_bytes = limit_pages * PAGE_SIZE;
    *free_bytes = limit_pages > used_pages ? (limit_pages - used_pages) * PAGE_SIZE : 0;
}

[[noreturn]] static void container_fail(const char *what, int error) {
    report_line("the container can't start: %s (error %d)", what, -error);
    control_report(control, CONTAINER_FAILED, CONTAINER_STATUS_OURS);
}

static void container_mount(handle_t image) {
    u64 mapped;
    const char *problem = "no image was given";
    u64 size = image ? memobj_size(image) : 0;
    int result = -EINVAL;
    if (size > PAGE_SIZE) {
        problem = "the image can't be mapped";
        u64 address = size <= IMAGE_NEAR_BYTES_MAX ? IMAGE_NEAR_ADDRESS : IMAGE_ADDRESS;
        result = kernel_map(0, image, 0, address, size, CL_MAP_READ | CL_MAP_FIXED, &mapped);
    }
    if (result == 0) {
        // The last page is the image's text, not the file system's.
        result = system_mount((const void *)mapped, size - PAGE_SIZE, image, &problem);
    }
    if (result != 0) {
        container_fail(problem ? problem : "the image can't be mounted", result);
    }
}

static int null_open(struct thread *thread, u32 flags, struct file **out) {
    struct vnode *vnode;
    int result = system_device("null", &vnode);
    if (result == 0) {
        result = file_open_vnode(thread, vnode, flags, out);
        vnode_put(vnode);
    }
    return result;
}

// The program's three descriptors are one terminal; its errors have no channel of their own.
static int terminal_start(struct thread *thread, struct records *records, const char *size) {
    struct console_channels channels = {
        .input = records_take(records, "stdin"),
        .output = records_take(records, "stdout"),
    };
    struct terminal *terminal;
    struct file *file;
    int result = console_create(&channels, size, &terminal);
    if (result == 0) result = console_open(thread, terminal, &file);
    for (i32 i = 0; i <= 2 && result >= 0; i++) {
        result = descriptor_install(thread, i == 0 ? file : file_get(file), 0, i);
    }
    return min(result, 0);
}

static int streams_open(struct thread *thread, struct records *records) {
    const char *terminal_size = records_value(records, 'o', "tty");
    if (terminal_size) return terminal_start(thread, records, terminal_size);
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
        struct file *file;
        handle_t channel = records_take(records, names[i]);
        u32 flags = i == 0 ? O_RDONLY : O_WRONLY;
        int result =
            channel ? stream_create(channel, flags, &file) : null_open(thread, O_RDWR, &file);
        if (result == 0) {
            result = descriptor_install(thread, file, 0, (i32)i);
        }
        if (result < 0) {
            return result;
        }
        if (i == 1 && channel) {
            stream_set_console(file);
        }
    }
    return 0;
}

static int program_fill(struct program *program, const struct records *records) {
    int result = 0;
    const char *text = NULL;
    while (result == 0 && (text = records_next(records, 'a', text))) {
        result = program_add(program, text, strlen(text));
        program->argc++;
    }
    program->arguments_size = program->size;
    text = NULL;
    if (records_value(records, 'o', "tty") && !records_value(records, 'e', "TERM")) {
        result = result == 0 ? program_add(program, default_term, strlen(default_term)) : result;
        program->envc++;
    }
    while (result == 0 && (text = records_next(records, 'e', text))) {
        result = program_add(program, text, strlen(text));
        program->envc++;
    }
    return result == 0 && program->argc == 0 ? -EINVAL : result;
}

static struct program *program_of(const struct records *records) {
    struct program *program = program_create();
    int result = program ? program_fill(program, records) : -ENOMEM;
    if (result != 0) {
        container_fail("no program was given", result);
    }
    return program;
}

// The line that a shell would print, on the program's own stderr.
[[noreturn]] static void program_fail(struct thread *thread, const char *name, int error) {
    char line[300];
    bool is_missing = error == -ENOENT || error == -ENOTDIR;
    const char *reason = is_missing          ? "not found"
                         : error == -EACCES  ? "permission denied"
                         : error == -ENOEXEC ? "can't be executed: no program for this machine"
                                             : "can't be started";
    usize size = format_text(line, sizeof(line), "%.200s: %s\n", name, reason);
    struct file *file = descriptor_get(thread, 2);
    if (file) {
        file_write(thread, file, line, min(size, sizeof(line) - 1), 0);
        file_put(file);
    }
    control_report(control, CONTAINER_EXITED,
                   is_missing ? CONTAINER_STATUS_NOT_FOUND : CONTAINER_STATUS_NOT_EXECUTABLE);
}

static int path_try(struct thread *thread, const char *path, struct program *program) {
    return exec_program(thread, AT_FDCWD, path, program_get(program));
}

// Tries each directory of PATH. What is there but can't run is told only if nothing else is found.
static int program_search(struct thread *thread, const char *search, const char *name,
                          struct program *program) {
    char path[512];
    int problem = -ENOENT;
    while (*search && *name) {
        const char *end = strchr(search, ':');
        usize size = end ? (usize)(end - search) : strlen(search);
        usize length = format_text(path, sizeof(path), "%.*s/%s", (int)size, search, name);
        int result = length < sizeof(path) ? path_try(thread, path, program) : -ENOENT;
        if (result == 0) {
            return 0;
        }
        if (result != -ENOENT && result != -ENOTDIR) {
            problem = result;
        }
        search += size + (end != NULL);
    }
    return problem;
}

static void first_process_start(struct thread *thread, const struct records *records) {
    const char *name = records_next(records, 'a', NULL);
    const char *search = records_value(records, 'e', "PATH");
    struct program *program = program_of(records);
    int result = strchr(name, '/')
                     ? path_try(thread, name, program)
                     : program_search(thread, search ? search : default_path, name, program);
    if (result != 0) {
        program_fail(thread, name, result);
    }
    program_put(program);
}

static void first_process_make(struct thread *thread) {
    struct process *process = process_alloc(NULL);
    if (!process) {
        container_fail("no memory for the first process", -ENOMEM);
    }
    thread->process = process;
    thread->tid = process->pid;
    process->descriptors = descriptors_create();
    process->fs = fs_context_create(system_root());
    if (!process->descriptors || !process->fs || kernel_thread_self(&thread->handle) != 0) {
        container_fail("no memory for the first process", -ENOMEM);
    }
    mutex_lock(&tasks.lock);
    list_insert_tail(&process->threads, &thread->in_process);
    mutex_unlock(&tasks.lock);
}

void container_start(struct thread *thread, handle_t bootstrap) {
    struct records records;
    char *buffer;
    control = bootstrap;
    int result = control_receive(bootstrap, &records, &buffer);
    if (result != 0) {
        container_fail("no start message", result);
    }
    ns = records_take(&records, "ns");
    container_mount(records_take(&records, "image"));
    const char *hostname = records_value(&records, 'o', "hostname");
    if (hostname) {
        format_text(system_hostname, SYSTEM_HOSTNAME_MAX + 1, "%s", hostname);
    }
    first_process_make(thread);
    result = streams_open(thread, &records);
    if (result != 0) {
        container_fail("the standard streams can't be opened", result);
    }
    first_process_start(thread, &records);
    heap_free(buffer);
}
