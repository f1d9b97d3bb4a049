// Templates: programs that were started once in the namespace `templates`, and froze.
#include "cloister.h"

#include "abi/names.h"
#include "init/gifts.h"
#include "lib/loader.h"
#include "lib/log.h"
#include "lib/string.h"

enum : u64 { FREEZE_TIMEOUT_NS = 10'000'000'000 };
enum : u32 { TEMPLATE_RIGHTS = RIGHT_CLONE | RIGHT_INSPECT | RIGHT_WAIT };

static u32 templates_count;
static struct template templates[TEMPLATES_MAX];

static status_t template_wait_frozen(handle_t process) {
    u64 now_ns;
    u32 observed;
    status_t status = clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    if (status == OK) {
        status = object_wait(process, SIGNAL_FROZEN | SIGNAL_TERMINATED, 0,
                             now_ns + FREEZE_TIMEOUT_NS, &observed);
    }
    if (status == OK && !(observed & SIGNAL_FROZEN)) {
        return ERR_DEAD;
    }
    return status;
}

static status_t template_run(struct template *template, const char **problem) {
    static char bytes[CL_PAGE_SIZE];
    struct records_writer records;
    handle_t control;
    handle_t ns = machine_namespace("templates");
    if (!ns) {
        return ERR_NO_RESOURCES;
    }
    records_begin(&records, bytes, sizeof(bytes));
    records_add_handle(&records, "ns", machine_copy(ns, RIGHT_MASK & ~RIGHT_OWNER, "templates"));
    records_add_pair(&records, 'o', "cpus", machine.processors);
    records_add_handle(&records, "bundle", machine_copy(machine.bundle, RIGHT_MASK, "bundle"));
    status_t status = program_start(ns, machine.bundle, template->name, &records,
                                    &template->process, &control, problem);
    if (status != OK) {
        return status;
    }
    status = template_wait_frozen(template->process);
    handle_close(control);
    return status;
}

void template_start(const struct manifest_line *line) {
    const char *problem = "";
    if (templates_count == TEMPLATES_MAX) {
        log_line("init: template %s: there are too many", line->name);
        return;
    }
    struct template *template = &templates[templates_count];
    memcpy(template->name, line->name, strlen(line->name) + 1);
    status_t status = template_run(template, &problem);
    if (status != OK) {
        log_line("init: template %s is not there: %s %s", line->name, cl_error_name(status),
                 problem);
        return;
    }
    templates_count++;
}

handle_t template_copy(const char *name) {
    for (u32 i = 0; i < templates_count; i++) {
        if (strcmp(templates[i].name, name) == 0) {
            return machine_copy(templates[i].process,
                                TEMPLATE_RIGHTS | RIGHT_TRANSFER | RIGHT_DUPLICATE, name);
        }
    }
    log_line("init: there is no template %s to give", name);
    return 0;
}
