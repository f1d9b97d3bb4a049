// The first process. It reads the boot manifest (the bundle's file `manifest`), makes the
// namespaces, templates and services that it names, and starts services again that end. It is the
// only program that holds the root namespace.
#include "cloister.h"

#include "abi/names.h"
#include "init/machine.h"
#include "init/service.h"
#include "init/tests.h"
#include "lib/bundle.h"
#include "lib/log.h"

enum { MANIFEST_BYTES_MAX = 4 * CL_PAGE_SIZE };
static char manifest_bytes[MANIFEST_BYTES_MAX];

static usize manifest_load(void) {
    struct bundle_file file;
    status_t status = bundle_find(machine.bundle, "manifest", &file);
    if (status == OK && file.size_bytes > MANIFEST_BYTES_MAX) {
        status = ERR_TOO_BIG;
    }
    if (status == OK) {
        status = memobj_read(machine.bundle, file.offset, manifest_bytes, file.size_bytes);
    }
    if (status != OK) {
        log_line("init: the bundle's file `manifest` can't be read: %s", cl_error_name(status));
        machine_poweroff(1);
    }
    return file.size_bytes;
}

static void line_start(const struct manifest_line *line) {
    if (line->kind == MANIFEST_TEMPLATE) {
        template_start(line);
    } else if (line->kind == MANIFEST_SERVICE) {
        service_add(line);
    }
}

// Namespaces come first, all of them, so that a line can give what a later one names.
static void manifest_run(usize size_bytes) {
    struct manifest manifest;
    struct manifest_line line;
    const char *problem;
    enum manifest_result result;
    manifest_open(&manifest, manifest_bytes, size_bytes);
    while ((result = manifest_next(&manifest, &line, &problem)) != MANIFEST_END) {
        if (result == MANIFEST_LINE) {
            service_prepare(&line);
        } else {
            log_line("init: manifest line %u is left out: %s", line.number, problem);
        }
    }
    manifest_open(&manifest, manifest_bytes, size_bytes);
    while ((result = manifest_next(&manifest, &line, &problem)) != MANIFEST_END) {
        if (result == MANIFEST_LINE) {
            line_start(&line);
        }
    }
}

int main(struct startup *startup) {
    machine_open(startup);
    const char *tests = startup_option(startup, "test");
    if (tests) {
        tests_run(tests);
    }
    manifest_run(manifest_load());
    services_watch();
}
