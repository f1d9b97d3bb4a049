// The machine as an object: power, totals, trace. There is one, made at boot.
#ifndef OBJECT_SYSTEM_H
#define OBJECT_SYSTEM_H

#include "object/object.h"

struct system {
    struct object base;
};

// Boot: charged to the root namespace. NO_RESOURCES.
status_t system_create(struct system **out);

#endif
