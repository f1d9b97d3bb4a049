// The limits of a container as requests say them.
#pragma once

#include "abi/types.h"
#include "lib/records.h"

// From the options memory and reservation (bytes), shares (1024 is what a container has by itself) and
// pids; what is not said stays, or is the default.
void limits_read(const struct records *records, struct cl_ns_limits *limits);
