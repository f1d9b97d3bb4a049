// The architecture that the serial driver sees in its host test: the ports are a model's.
#ifndef ARCH_THIS_H
#define ARCH_THIS_H

#include "lib/types.h"

enum { MAX_CPUS = 1 };

struct arch_pmap {
    u64 unused;
};

u8 arch_port_read8(u16 port);
void arch_port_write8(u16 port, u8 value);

#endif
