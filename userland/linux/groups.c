// Process groups: members, orphans. POSIX calls a group orphaned when no member has a parent in
// another group of the same session.
#include "linux/groups.h"

u32 signal_send_group_locked(i32 group, const struct queued_signal *signal) {
    struct process *process;
    u32 members = 0;
    list_for_each(process, &tasks.processes, all) {
        if (process->group == group) {
            signal_send_locked(process, signal);
            members++;
        }
    }
    return members;
}

bool group_exists_locked(i32 group, i32 session) {
    struct process *process;
    list_for_each(process, &tasks.processes, all) {
        if (process->group == group && process->session == session) {
            return true;
        }
    }
    return false;
}

// A member whose parent is outside the group, but in the session, connects it.
static bool is_connection_locked(const struct process *process) REQUIRES(&tasks.lock) {
    const struct process *parent = process->parent;
    return parent && process->state != PROCESS_ZOMBIE && parent->group != process->group &&
           parent->session == process->session;
}

static bool is_orphaned_without_locked(i32 group, const struct process *ignored)
    REQUIRES(&tasks.lock) {
    struct process *process;
    list_for_each(process, &tasks.processes, all) {
        if (process->group == group && process != ignored && is_connection_locked(process)) {
            return false;
        }
    }
    return true;
}

bool group_is_orphaned_locked(i32 group) { return is_orphaned_without_locked(group, NULL); }

static bool has_stopped_locked(i32 group) REQUIRES(&tasks.lock) {
    struct process *process;
    list_for_each(process, &tasks.processes, all) {
        if (process->group == group && process->state == PROCESS_STOPPED) {
            return true;
        }
    }
    return false;
}

void group_lose_locked(struct process *process, const struct process *parent,
                       const struct process *leaving) {
    i32 group = process->group;
    if (!parent || parent->group == group || parent->session != process->session) {
        return;
    }
    if (is_orphaned_without_locked(group, leaving) && has_stopped_locked(group)) {
        struct queued_signal signal = {.signal = SIGHUP, .code = SI_KERNEL};
        signal_send_group_locked(group, &signal);
        signal.signal = SIGCONT;
        signal_send_group_locked(group, &signal);
    }
}
