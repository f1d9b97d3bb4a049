// What clients ask for.
#pragma once

#include "lib/types.h"

// Takes one request off the server channel, if one is there, and answers it, now or when the
// container that it is about has ended.
void request_serve(void);
