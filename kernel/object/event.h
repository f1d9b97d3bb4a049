// Events: signals set and cleared by hand.
#ifndef OBJECT_EVENT_H
#define OBJECT_EVENT_H

#include "object/object.h"

struct event {
    struct object base;
};

#endif
