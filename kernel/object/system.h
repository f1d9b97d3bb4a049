// The machine as an object: power, totals, trace. There is one, made at boot.
#pragma once

#include "object/object.h"

// Boot: charged to the root namespace. NO_RESOURCES.
status_t system_create(struct object **out);
