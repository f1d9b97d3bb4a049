#include "cloister.h"

#include "abi/names.h"
#include "init/machine.h"
#include "lib/format.h"
#include "lib/container_protocol.h"
#include "lib/log.h"
#include "lib/message.h"
#include "lib/string.h"

struct machine machine;

// A container that is taken for a machine is told by the manager around it.
static void processors_find(const struct startup *startup) {
    struct cl_system_info info = {.cpus = 1};
    const char *told = records_value(&startup->records, 'o', "cpus");
    handle_t system = startup_handle(startup, "system");
    if (system) {
        system_info(system, &info);
    }
    format_text(machine.processors, sizeof(machine.processors), "%u", info.cpus);
    if (told && !system) {
        format_text(machine.processors, sizeof(machine.processors), "%s", told);
    }
}

void machine_open(struct startup *startup) {
    machine.startup = startup;
    machine.root = startup_handle(startup, "ns");
    machine.bundle = startup_handle(startup, "bundle");
    machine.outside = startup->bootstrap;
    machine.namespaces[0].ns = machine.root;
    machine.namespaces_count = 1;
    processors_find(startup);
}

static handle_t namespace_known(const char *path, usize size) {
    for (u32 i = 0; i < machine.namespaces_count; i++) {
        const struct machine_namespace *known = &machine.namespaces[i];
        if (strlen(known->path) == size && memcmp(known->path, path, size) == 0) {
            return known->ns;
        }
    }
    return 0;
}

// init's namespaces hold everything that is not init's: what limits them is the machine. The limits
// that bite are those of each container. What is counted with all below (threads, names, timers) is not
// to run out for many containers together, either, before their memory does.
static struct cl_ns_limits limits_wide(u64 reserved_pages) {
    struct cl_ns_info root = {};
    ns_info(machine.root, &root);
    return (struct cl_ns_limits){
        .memory_pages = root.memory_limit_pages,
        .memory_reserved_pages = reserved_pages,
        .threads = 1 << 24,
        .handles = 1 << 20,
        .names = 1 << 24,
        .timers = 1 << 24,
        .message_bytes = 1 << 30,
        .cpu_weight = CL_LIMIT_SAME,
        .cpu_cap = CL_LIMIT_SAME,
        .log_bytes = CL_LIMIT_SAME,
        .disk_read_bytes = CL_LIMIT_SAME,
        .disk_read_requests = CL_LIMIT_SAME,
        .disk_write_bytes = CL_LIMIT_SAME,
        .disk_write_requests = CL_LIMIT_SAME,
    };
}

void machine_reserve(handle_t ns, u64 pages, const char *name) {
    struct cl_ns_limits limits = limits_wide(pages);
    status_t status = ns_set_limits(ns, &limits);
    if (status != OK)
        log_line("init: %lu pages can't be set aside for %s: %s", pages, name,
                 cl_error_name(status));
}

static handle_t namespace_make(handle_t parent, const char *path, usize path_size,
                               const char *name) {
    struct machine_namespace *made = &machine.namespaces[machine.namespaces_count];
    struct cl_ns_limits limits = limits_wide(0);
    if (machine.namespaces_count == MACHINE_NAMESPACES_MAX || path_size > MACHINE_PATH_MAX) {
        log_line("init: namespace %s: there are too many, or its path is too long", path);
        return 0;
    }
    usize name_size = path_size - (usize)(name - path);
    status_t status = ns_create(parent, name, (u32)name_size, &limits, &made->ns);
    if (status != OK) {
        log_line("init: namespace %s: %s", path, cl_error_name(status));
        return 0;
    }
    memcpy(made->path, path, path_size);
    machine.namespaces_count++;
    return made->ns;
}

handle_t machine_namespace(const char *path) {
    handle_t ns = machine.root;
    const char *name = path;
    while (ns && *name) {
        const char *slash = strchr(name, '/');
        usize size = slash ? (usize)(slash - path) : strlen(path);
        handle_t known = namespace_known(path, size);
        ns = known ? known : namespace_make(ns, path, size, name);
        name = slash ? slash + 1 : path + size;
    }
    return ns;
}

handle_t machine_copy(handle_t handle, u32 rights, const char *what) {
    struct cl_object_info info;
    handle_t copy = 0;
    status_t status = object_info(handle, &info);
    if (status == OK) {
        status = handle_duplicate(handle, (rights | RIGHT_TRANSFER) & info.rights, &copy);
    }
    if (status != OK) {
        log_line("init: %s can't be given: %s", what, cl_error_name(status));
        return 0;
    }
    return copy;
}

void machine_poweroff(u32 status) {
    struct container_report report = {
        .version = CONTAINER_PROTOCOL_VERSION, .kind = CONTAINER_EXITED, .status = (i32)status};
    if (machine.outside) {
        message_send(machine.outside, &report, sizeof(report), NULL, 0);
        process_exit((i32)status);
    }
    system_poweroff(startup_handle(machine.startup, "system"), status);
    process_exit(1); // the kernel refused
}
