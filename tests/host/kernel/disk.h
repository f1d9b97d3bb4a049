// A disk of numbers: each page begins with its own number. Some sectors can't be read. Requests are
// done by a kernel thread, in an order of its own.
#pragma once
#include "drivers/blockdev.h"

enum : u64 { DISK_PAGES = 1600, DISK_BAD_PAGE = 77 };

extern struct blockdev disk;
void disk_start(void);
