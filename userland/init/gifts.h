// What a service is given by the words of its line in the manifest.
#pragma once

#include "init/service.h"

// Writes the service's start-up records: `ns`, the handles that its words name, and, with the word
// `console`, the session's streams, arguments and options. The session is the machine's own
// (machine.startup), or one more of the same service. A word that can't be satisfied is a line on the
// log, and left out.
void gifts_give(struct records_writer *records, struct service *service,
                const struct records *session);

// A template that template_start has made, with the right to clone; 0 if there is none.
handle_t template_copy(const char *name);
