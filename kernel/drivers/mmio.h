// Device registers: one access of exactly that width, never merged or left out. On x86 uncached
// accesses are not reordered with each other; the compiler is held by volatile. Host tests put
// another mmio.h in front of this one on the include path, with a model of a device behind it.
#pragma once

#include "lib/types.h"

static inline u8 mmio_read8(const void *address) { return *(const volatile u8 *)address; }

static inline u16 mmio_read16(const void *address) { return *(const volatile u16 *)address; }

static inline u32 mmio_read32(const void *address) { return *(const volatile u32 *)address; }

static inline void mmio_write8(void *address, u8 value) { *(volatile u8 *)address = value; }

static inline void mmio_write16(void *address, u16 value) { *(volatile u16 *)address = value; }

static inline void mmio_write32(void *address, u32 value) { *(volatile u32 *)address = value; }
