// From the start message to the first process: the image is mapped and mounted, then the process is
// launched. And its end, which ends all others.
#include "linux/container.h"

#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/control.h"
#include "linux/fs/stream.h"
#include "linux/kernel_if.h"
#include "linux/launch.h"
#include "linux/output.h"
#include "linux/process.h"
#include "linux/report.h"
#include "linux/signal.h"
#include "linux/system.h"
#include "linux/thread.h"
#include "linux/trace.h"
#include "linux/tty/console.h"

// A usual image lies in the gigabyte of the program's own data, so that they share page tables.
enum : u64 {
    IMAGE_NEAR_ADDRESS = 0x7f8008000000,
    IMAGE_NEAR_BYTES_MAX = 512UL << 20,
    IMAGE_ADDRESS = 0x7f9000000000,
};

static handle_t ns;

static u32 reports_owed GUARDED_BY(&tasks.lock); // of processes that are gone already

static bool is_kept; // the personality stays when the first process has ended

void container_memory(u64 *total_bytes, u64 *free_bytes) {
    u64 limit_pages;
    u64 used_pages;
    ledger_pages(ns, &limit_pages, &used_pages);
    *total_bytes = limit_pages * PAGE_SIZE;
    *free_bytes = limit_pages > used_pages ? (limit_pages - used_pages) * PAGE_SIZE : 0;
}

[[noreturn]] static void container_fail(const char *what, int error) {
    report_line("the container can't start: %s (error %d)", what, -error);
    control_report(CONTAINER_FAILED, 0, CONTAINER_STATUS_OURS, NULL, 0);
    control_exit();
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

// Ends all other processes, and waits until they are gone. What they fork meanwhile is found the
// next time.
static u32 others_end_locked(struct process *first) REQUIRES(&tasks.lock) {
    struct process *process;
    struct process *following;
    tasks.is_ending = true;
    list_for_each_safe(process, following, &tasks.processes, all) {
        if (process->state == PROCESS_ZOMBIE && process->parent == first)
            process_free_locked(process);
        else if (process != first && process->state != PROCESS_ZOMBIE)
            signal_send_locked(process, &(struct queued_signal){.signal = SIGKILL});
    }
    return tasks.count - 1 + reports_owed;
}

static void others_end(struct thread *thread) {
    struct waiter waiter;
    struct process *first = thread->process;
    waitqueue_add(&first->children_changed, &waiter, thread);
    for (;;) {
        u32 ticket = thread_ticket(thread);
        mutex_lock(&tasks.lock);
        u32 others = others_end_locked(first);
        mutex_unlock(&tasks.lock);
        if (others == 0) break;
        kernel_futex_wait(&thread->wake_word, ticket, WAIT_PLAIN, DEADLINE_NEVER);
    }
    waitqueue_remove(&first->children_changed, &waiter);
}

// The process is freed; the thread stays, for the kick that comes with the manager's next request.
[[noreturn]] static void first_process_leave(struct thread *thread, i32 status) {
    struct process *process = thread->process;
    kernel_aspace_bind(0);
    process_release(process);
    launch_end(process);
    mutex_lock(&tasks.lock);
    list_remove(&thread->in_process);
    process_free_locked(process);
    tasks.next_pid = 2;
    mutex_unlock(&tasks.lock);
    thread->process = NULL;
    threads_trim();
    streams_forget();
    output_unfollow();
    heap_trim();
    control_report(CONTAINER_EXITED, 0, status, NULL, 0);
    while (!control_is_attended())
        kernel_futex_wait(&thread->wake_word, thread_ticket(thread), WAIT_INTERRUPTIBLE,
                          DEADLINE_NEVER);
    thread_end(thread);
}

static i32 status_of(i32 wait_status) {
    i32 signal = wait_status & 0x7f;
    return signal ? CONTAINER_STATUS_SIGNAL + signal : wait_status >> 8 & 0xff;
}

void container_exit(struct thread *thread, i32 wait_status) {
    if (!is_kept) {
        if (thread->process->terminal) console_drain(thread->process->terminal);
        control_report(CONTAINER_EXITED, 0, status_of(wait_status), NULL, 0);
        control_exit();
    }
    process_vfork_done(thread->process);
    others_end(thread);
    first_process_leave(thread, status_of(wait_status));
}

void container_others_fewer_locked(void) {
    struct process *first = process_find_locked(1);
    if (first) waitqueue_wake(&first->children_changed);
}

void container_launched_ended_locked(void) { reports_owed++; }

void container_launched_report(u32 launch_id, i32 wait_status) {
    if (launch_id != LAUNCH_ID_JOB)
        control_report(CONTAINER_EXEC_ENDED, launch_id, status_of(wait_status), NULL, 0);
    mutex_lock(&tasks.lock);
    reports_owed--;
    container_others_fewer_locked();
    mutex_unlock(&tasks.lock);
}

void container_done(u32 id, i32 status, const char *line) {
    control_report(CONTAINER_DONE, id, status, line, strlen(line));
}

static u32 number_of(const char *text) {
    u32 number = 0;
    for (; text && *text >= '0' && *text <= '9' && number < 100'000'000; text++)
        number = number * 10 + (u32)(*text - '0');
    return number;
}

// `SOFT[:HARD]`.
static void files_limit_read(const char *text) {
    if (!text) return;
    const char *colon = strchr(text, ':');
    u64 hard = min(number_of(colon ? colon + 1 : text), (u32)FILES_LIMIT_MAX);
    tasks.files_limit = (struct linux_rlimit){min((u64)number_of(text), hard), hard};
}

static void options_read(const struct records *records) {
    files_limit_read(records_value(records, 'o', "nofile"));
    tasks.limit = number_of(records_value(records, 'o', "pids"));
    const char *hostname = records_value(records, 'o', "hostname");
    is_kept = records_value(records, 'o', "keep") != NULL;
    trace_is_on = records_value(records, 'o', "trace") != NULL;
    if (hostname) format_text(system_hostname, SYSTEM_HOSTNAME_MAX + 1, "%s", hostname);
}

void container_start(struct thread *thread, handle_t bootstrap) {
    struct control_message message;
    control_open(bootstrap);
    int result = control_receive(&message, 0, CONTROL_WAIT);
    struct launch *launch = result == 0 ? launch_create() : NULL;
    if (!launch) container_fail("no start message", result);
    launch->buffer = message.buffer;
    launch->records = message.records;
    ns = records_take(&launch->records, "ns");
    output_open(records_take(&launch->records, "log"),
                records_value(&launch->records, 'o', "log") ? 0 : LOG_RING_BYTES);
    container_mount(records_take(&launch->records, "image"));
    options_read(&launch->records);
    struct process *process = launch_process(thread);
    if (!process || !process->descriptors || !process->fs ||
        kernel_thread_self(&thread->handle) != 0)
        container_fail("no memory for the first process", -ENOMEM);
    launch_run(thread, launch);
}
