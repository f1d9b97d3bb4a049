// What the generated decoding needs beside handles: user memory and names.
//
// Rules:
// - User memory is copied in once; nothing is read twice.
// - None of this is called with a lock held.
#pragma once

#include "kernel/handlers.h"
#include "object/user.h"

// Copies a path of names and checks it: 1 to NAME_MAX bytes, parts of at least one byte between
// single '/', none of them "." or "..", no control characters. INVALID_ARGUMENT, BAD_POINTER.
status_t name_path_copy_in(struct name_path *path, u64 address, u64 size);
