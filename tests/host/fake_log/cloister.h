// What shell/log_reader.c asks of the kernel, for a test that plays the ring's writer.
#pragma once

#include "abi/errors.h"
#include "abi/types.h"
#include "lib/types.h"

status_t memobj_read(handle_t memobj, u64 offset, void *bytes, u64 size);
status_t object_info(handle_t object, struct cl_object_info *info);
