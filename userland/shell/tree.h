// Containers within containers.
#pragma once

#include "lib/types.h"

// Every container with its path: `a`, `a/b` in it.
i32 levels_print(void);
