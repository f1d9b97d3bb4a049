// The names of /proc.
#include "linux/abi.h"
#include "linux/fs/proc_node.h"
#include "linux/system.h"

enum {
    LINK = MODE_LINK | 0777,
    READABLE = MODE_REGULAR | 0444,
    WRITABLE = MODE_REGULAR | 0644,
    PRIVATE = MODE_REGULAR | 0400,
    FOLDER = MODE_DIRECTORY | 0555,
    PRIVATE_FOLDER = MODE_DIRECTORY | 0500,
};

const struct proc_entry proc_entry_root = {.mode = FOLDER, .directory = PROC_ROOT};
const struct proc_entry proc_entry_pid = {.mode = FOLDER, .directory = PROC_PID};
const struct proc_entry proc_entry_task = {.mode = FOLDER, .directory = PROC_TASK};
const struct proc_entry proc_entry_fd = {.mode = MODE_LINK | 0700, .link = PROC_FD};
const struct proc_entry proc_entry_fdinfo = {.mode = PRIVATE, .print = proc_print_fdinfo};

#define TEXT(name, place, printer) {name, place, READABLE, .print = printer}
#define OWN_TEXT(name, place, printer) {name, place, READABLE, .print_process = printer}
#define DIRECTORY(name, place, what) {name, place, FOLDER, .directory = what}
#define STORED(name, place, printer, storer) \
    {name, place, WRITABLE, .print = printer, .store = storer}
#define SETTING(name, place, value) \
    {name, place, READABLE, .target = value, .print = proc_print_setting}

// What a process's directory and each of its threads' have.
#define OF_PROCESS(place)                                                                         \
    TEXT("cgroup", place, proc_print_nothing), OWN_TEXT("cmdline", place, proc_print_cmdline),    \
        {"comm", place, WRITABLE, .print_process = proc_print_comm, .store = proc_store_comm},    \
        {"cwd", place, LINK, .link = PROC_CWD},                                                   \
        {"environ", place, PRIVATE, .is_of_program = true, .print_process = proc_print_environ},  \
        {"exe", place, LINK, .link = PROC_EXE},                                                   \
        {"fd", place, PRIVATE_FOLDER, .directory = PROC_FDS},                                     \
        DIRECTORY("fdinfo", place, PROC_FDINFOS), TEXT("gid_map", place, proc_print_id_map),      \
        {"io", place, PRIVATE, .print_process = proc_print_io},                                   \
        OWN_TEXT("limits", place, proc_print_limits),                                             \
        TEXT("loginuid", place, proc_print_loginuid),                                             \
        {"maps", place, READABLE, .is_of_program = true, .print = proc_print_maps},               \
        TEXT("mountinfo", place, proc_print_mountinfo), TEXT("mounts", place, proc_print_mounts), \
        DIRECTORY("net", place, PROC_NET),                                                        \
        STORED("oom_adj", place, proc_print_number, proc_store_nothing),                          \
        TEXT("oom_score", place, proc_print_number),                                              \
        STORED("oom_score_adj", place, proc_print_number, proc_store_nothing),                    \
        OWN_TEXT("personality", place, proc_print_personality),                                   \
        {"root", place, LINK, .link = PROC_ROOT_LINK},                                            \
        TEXT("sessionid", place, proc_print_loginuid),                                            \
        {"smaps", place, READABLE, .is_of_program = true, .print = proc_print_smaps},             \
        OWN_TEXT("stat", place, proc_print_stat), OWN_TEXT("statm", place, proc_print_statm),     \
        OWN_TEXT("status", place, proc_print_status), TEXT("uid_map", place, proc_print_id_map),  \
        TEXT("wchan", place, proc_print_zero)

const struct proc_entry proc_entries[] = {
    TEXT("cmdline", PROC_ROOT, proc_print_boot_line),
    TEXT("cpuinfo", PROC_ROOT, proc_print_cpuinfo),
    TEXT("devices", PROC_ROOT, proc_print_devices),
    TEXT("diskstats", PROC_ROOT, proc_print_nothing),
    TEXT("filesystems", PROC_ROOT, proc_print_filesystems),
    TEXT("interrupts", PROC_ROOT, proc_print_nothing),
    TEXT("loadavg", PROC_ROOT, proc_print_loadavg),
    TEXT("meminfo", PROC_ROOT, proc_print_meminfo),
    TEXT("modules", PROC_ROOT, proc_print_nothing),
    {"mounts", PROC_ROOT, LINK, .target = "self/mounts"},
    {"net", PROC_ROOT, LINK, .target = "self/net"},
    TEXT("partitions", PROC_ROOT, proc_print_partitions),
    {"self", PROC_ROOT, LINK, .link = PROC_SELF},
    TEXT("stat", PROC_ROOT, proc_print_system_stat),
    TEXT("swaps", PROC_ROOT, proc_print_swaps),
    DIRECTORY("sys", PROC_ROOT, PROC_SYS),
    {"thread-self", PROC_ROOT, LINK, .link = PROC_THREAD_SELF},
    TEXT("uptime", PROC_ROOT, proc_print_uptime),
    TEXT("version", PROC_ROOT, proc_print_version),
    TEXT("vmstat", PROC_ROOT, proc_print_vmstat),

    OF_PROCESS(PROC_PID),
    DIRECTORY("task", PROC_PID, PROC_TASKS),
    OF_PROCESS(PROC_TASK),
    OWN_TEXT("children", PROC_TASK, proc_print_children),

    TEXT("unix", PROC_NET, proc_print_nothing),

    DIRECTORY("fs", PROC_SYS, PROC_SYS_FS),
    DIRECTORY("kernel", PROC_SYS, PROC_SYS_KERNEL),
    DIRECTORY("vm", PROC_SYS, PROC_SYS_VM),

    SETTING("file-max", PROC_SYS_FS, "9223372036854775807"),
    SETTING("nr_open", PROC_SYS_FS, "1048576"),
    SETTING("pipe-max-size", PROC_SYS_FS, "1048576"),

    SETTING("cap_last_cap", PROC_SYS_KERNEL, "40"),
    SETTING("core_pattern", PROC_SYS_KERNEL, "core"),
    SETTING("domainname", PROC_SYS_KERNEL, "(none)"),
    STORED("hostname", PROC_SYS_KERNEL, proc_print_hostname, proc_store_hostname),
    SETTING("ngroups_max", PROC_SYS_KERNEL, "65536"),
    SETTING("osrelease", PROC_SYS_KERNEL, system_release),
    SETTING("ostype", PROC_SYS_KERNEL, "Linux"),
    SETTING("overflowgid", PROC_SYS_KERNEL, "65534"),
    SETTING("overflowuid", PROC_SYS_KERNEL, "65534"),
    SETTING("panic", PROC_SYS_KERNEL, "0"),
    SETTING("pid_max", PROC_SYS_KERNEL, "4194304"),
    SETTING("printk", PROC_SYS_KERNEL, "7\t4\t1\t7"),
    DIRECTORY("random", PROC_SYS_KERNEL, PROC_SYS_RANDOM),
    SETTING("randomize_va_space", PROC_SYS_KERNEL, "2"),
    SETTING("shmmax", PROC_SYS_KERNEL, "18446744073692774399"),
    SETTING("tainted", PROC_SYS_KERNEL, "0"),
    SETTING("threads-max", PROC_SYS_KERNEL, "1024"),
    SETTING("version", PROC_SYS_KERNEL, system_version),

    TEXT("boot_id", PROC_SYS_RANDOM, proc_print_boot_id),
    SETTING("entropy_avail", PROC_SYS_RANDOM, "256"),
    SETTING("poolsize", PROC_SYS_RANDOM, "256"),
    TEXT("uuid", PROC_SYS_RANDOM, proc_print_uuid),

    SETTING("max_map_count", PROC_SYS_VM, "65530"),
    SETTING("overcommit_memory", PROC_SYS_VM, "0"),
    SETTING("overcommit_ratio", PROC_SYS_VM, "50"),
    SETTING("swappiness", PROC_SYS_VM, "60"),
};

const usize proc_entries_count = ARRAY_SIZE(proc_entries);
