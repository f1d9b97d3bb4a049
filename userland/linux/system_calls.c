// What programs ask about the system, and settings of threads and processes that are small.
#include "lib/format.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/io.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/system.h"
#include "linux/thread.h"

i64 linux_uname(struct thread *thread, linux_ptr out) {
    enum { PERSONA_MASK = 0xff, PERSONA_LINUX32 = 8 };
    struct linux_utsname name = {.system = "Linux", .machine = "x86_64", .domain = "(none)"};
    if ((thread->process->persona & PERSONA_MASK) == PERSONA_LINUX32) {
        memcpy(name.machine, "i686", sizeof("i686"));
    }
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

i64 linux_sethostname(struct thread *thread, linux_ptr name, usize size) {
    char text[SYSTEM_HOSTNAME_MAX + 1] = {};
    if (!credentials_have(thread->process->credentials, CAP_SYS_ADMIN)) return -EPERM;
    if (size > SYSTEM_HOSTNAME_MAX) return -EINVAL;
    if (copy_from_linux(text, name, size) != 0) return -EFAULT;
    memcpy(system_hostname, text, sizeof(text));
    return 0;
}

// Kept and given on; the machine's name is all that follows from it.
i64 linux_personality(struct thread *thread, u64 persona) {
    enum : u32 { PERSONALITY_ASK = 0xffffffff };
    u32 old = thread->process->persona;
    if ((u32)persona != PERSONALITY_ASK) {
        thread->process->persona = (u32)persona;
    }
    return old;
}
