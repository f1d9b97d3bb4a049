// The whole disk as gpt.h reads it: sectors by way of a window of memory.
#pragma once

#include "abi/types.h"
#include "storage/gpt.h"

// Makes a reader of a block object. Errors of the system calls.
status_t disk_open(struct gpt_disk *disk, handle_t block);
