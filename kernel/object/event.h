// Events: signals set and cleared by hand.
#pragma once

#include "object/object.h"

struct event {
    struct object base;
};
