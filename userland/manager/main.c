// The manager: the life of containers. It holds OWNER on the namespace `containers` and nothing
// else of the machine; its clients talk to it over its channel (lib/manager_protocol.h), it talks
// to each container's personality over a channel of the container's (lib/container_protocol.h).
// When it dies, the next one finds the containers that it has left, and ends them.
#include "cloister.h"

#include "abi/names.h"
#include "lib/log.h"
#include "manager/container.h"
#include "manager/requests.h"

struct manager manager;

static bool manager_open(const struct startup *startup) {
    manager.server = startup_handle(startup, "server");
    manager.containers = startup_handle(startup, "owner:containers");
    manager.names = startup_handle(startup, "names:storage");
    manager.template = startup_handle(startup, "template:linux");
    manager.cpus = records_value(&startup->records, 'o', "cpus");
    if (!manager.server || !manager.containers) {
        log_line("manager: it needs `serve` and `owner:containers` in the boot manifest");
        return false;
    }
    status_t status = port_create(0, &manager.port);
    if (status == OK) {
        status = port_register(manager.port, manager.server, SIGNAL_READABLE, KEY_SERVER, 0);
    }
    if (status != OK) {
        log_line("manager: it can't wait for requests: %s", cl_error_name(status));
    }
    return status == OK;
}

static void event_serve(u64 key) {
    if (key == KEY_SERVER)
        request_serve();
    else
        container_event((struct container *)(key & ~KEY_NAMESPACE), key & KEY_NAMESPACE);
}

int main(struct startup *startup) {
    if (!manager_open(startup)) {
        return 1;
    }
    containers_clear();
    for (;;) {
        u64 key;
        u32 signals;
        u64 deadline_ns = containers_deadline();
        status_t status = port_wait(manager.port, 0, deadline_ns, &key, &signals);
        if (status != OK && status != ERR_TIMED_OUT) {
            log_line("manager: its port: %s", cl_error_name(status));
            return 1;
        }
        if (status == OK) event_serve(key);
        if (deadline_ns != CL_DEADLINE_NEVER) containers_expire();
    }
}
