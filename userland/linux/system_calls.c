// What programs ask about the system, and settings of threads and processes that are small.
#include "lib/format.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/io.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/system.h"
#include "linux/thread.h"

enum { PR_SET_NAME = 15, PR_GET_NAME = 16, PR_SET_PDEATHSIG = 1, PR_GET_DUMPABLE = 3 };
enum { RLIMIT_NOFILE = 7, RLIMITS = 16 };

i64 linux_uname(struct thread *, linux_ptr out) {
    struct linux_utsname name = {.system = "Linux", .machine = "x86_64", .domain = "(none)"};
    format_text(name.node, sizeof(name.node), "%s", system_hostname);
    format_text(name.release, sizeof(name.release), "%s", system_release);
    format_text(name.version, sizeof(name.version), "%s", system_version);
    return copy_to_linux(out, &name, sizeof(name));
}

i64 linux_sysinfo(struct thread *, linux_ptr out) {
    struct system_memory memory;
    system_memory(&memory);
    struct linux_sysinfo info = {
        .uptime = (i64)(kernel_monotonic_ns() / 1000000000),
        .memory_total = memory.total_bytes,
        .memory_free = memory.free_bytes,
        .processes = (u16)tasks.count,
        .unit = 1,
    };
    return copy_to_linux(out, &info, sizeof(info));
}

i64 linux_arch_prctl(struct thread *, u32 code, u64 address) {
    u64 value;
    switch (code) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (address >= CL_LINUX_LIMIT) {
            return -EPERM;
        }
        if (code == ARCH_SET_FS) {
            register_set_fs_base(address);
        } else {
            register_set_gs_base(address);
        }
        return 0;
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        value = code == ARCH_GET_FS ? register_fs_base() : register_gs_base();
        return copy_to_linux(linux_pointer(address), &value, sizeof(value));
    default: return -EINVAL;
    }
}

static i64 set_name(struct process *process, linux_ptr text) {
    char name[sizeof(process->name)] = {};
    i64 size = copy_string_from_linux(name, text, sizeof(name));
    if (size < 0 && size != -ENAMETOOLONG) {
        return size;
    }
    name[sizeof(name) - 1] = 0;
    mutex_lock(&tasks.lock);
    memcpy(process->name, name, sizeof(name));
    mutex_unlock(&tasks.lock);
    return 0;
}

i64 linux_prctl(struct thread *thread, u32 option, u64 a, u64) {
    switch (option) {
    case PR_SET_NAME: return set_name(thread->process, linux_pointer(a));
    case PR_GET_NAME:
        return copy_to_linux(linux_pointer(a), thread->process->name,
                             sizeof(thread->process->name));
    case PR_GET_DUMPABLE: return 1;
    case PR_SET_PDEATHSIG: return a <= SIGNALS_MAX ? 0 : -EINVAL;
    default: return -EINVAL;
    }
}

static struct linux_rlimit limit_of(struct process *process, u32 resource) {
    u64 current = process->limits_current[resource];
    return (struct linux_rlimit){current, resource == RLIMIT_NOFILE ? current : ~0UL};
}

i64 linux_prlimit64(struct thread *thread, i32 pid, u32 resource, linux_ptr limit_ptr,
                    linux_ptr old_ptr) {
    struct linux_rlimit limit;
    if (resource >= RLIMITS) {
        return -EINVAL;
    }
    if (pid != 0 && pid != thread->process->pid) {
        return -ESRCH;
    }
    struct linux_rlimit old = limit_of(thread->process, resource);
    if (!linux_is_null(limit_ptr)) {
        if (copy_from_linux(&limit, limit_ptr, sizeof(limit)) != 0) {
            return -EFAULT;
        }
        if (limit.current > limit.maximum) {
            return -EINVAL;
        }
        thread->process->limits_current[resource] = limit.current;
    }
    return linux_is_null(old_ptr) ? 0 : copy_to_linux(old_ptr, &old, sizeof(old));
}

i64 linux_getrlimit(struct thread *thread, u32 resource, linux_ptr out) {
    return linux_prlimit64(thread, 0, resource, linux_pointer(0), out);
}

i64 linux_setrlimit(struct thread *thread, u32 resource, linux_ptr limit) {
    return linux_prlimit64(thread, 0, resource, limit, linux_pointer(0));
}

i64 linux_getrusage(struct thread *thread, i32 who, linux_ptr out) {
    u64 cpu_ns = kernel_thread_time_ns();
    if (who < -1 || who > 1) {
        return -EINVAL;
    }
    if (who == -1) {
        mutex_lock(&tasks.lock);
        cpu_ns = thread->process->children_cpu_ns;
        mutex_unlock(&tasks.lock);
    }
    struct linux_rusage usage = {
        .user = {(i64)(cpu_ns / 1000000000), (i64)(cpu_ns / 1000 % 1000000)}};
    return copy_to_linux(out, &usage, sizeof(usage));
}

i64 linux_set_tid_address(struct thread *thread, linux_ptr tid) {
    thread->clear_tid = tid;
    thread->clears_tid = true;
    return thread->tid;
}

i64 linux_set_robust_list(struct thread *thread, linux_ptr head, usize size) {
    if (size != 24) {
        return -EINVAL;
    }
    thread->robust_list = head;
    return 0;
}

// Restartable sequences are optional for programs: they go without.
i64 linux_rseq(struct thread *, linux_ptr, u32, i32, u32) { return -ENOSYS; }

i64 linux_sched_getaffinity(struct thread *, i32, usize size, linux_ptr mask) {
    u64 one = 1;
    if (size < sizeof(one)) {
        return -EINVAL;
    }
    return copy_to_linux(mask, &one, sizeof(one)) != 0 ? -EFAULT : (i64)sizeof(one);
}

i64 linux_getrandom(struct thread *, linux_ptr buffer, usize size, u32 flags) {
    u8 bytes[256];
    if (flags & ~7U) {
        return -EINVAL;
    }
    size = min(size, (usize)0x1ffffff);
    for (usize done = 0; done < size; done += sizeof(bytes)) {
        usize piece = min(size - done, sizeof(bytes));
        kernel_random(bytes, piece);
        if (copy_to_linux(linux_offset(buffer, done), bytes, piece) != 0) {
            return done > 0 ? (i64)done : -EFAULT;
        }
    }
    return (i64)size;
}

i64 linux_sched_setaffinity(struct thread *, i32, usize, linux_ptr) { return 0; }

i64 linux_sethostname(struct thread *, linux_ptr name, usize size) {
    char text[SYSTEM_HOSTNAME_MAX + 1] = {};
    if (size > SYSTEM_HOSTNAME_MAX) return -EINVAL;
    if (copy_from_linux(text, name, size) != 0) return -EFAULT;
    memcpy(system_hostname, text, sizeof(text));
    return 0;
}

// Only the ordinary Linux personality.
i64 linux_personality(struct thread *, u64 persona) {
    enum : u64 { PERSONALITY_ASK = 0xffffffff };
    return persona == 0 || persona == PERSONALITY_ASK ? 0 : -EINVAL;
}

// All processes have the same weight; the kernel's call gives 20 - nice.
i64 linux_getpriority(struct thread *, i32, i32) { return 20; }

i64 linux_setpriority(struct thread *, i32, i32, i32) { return 0; }
