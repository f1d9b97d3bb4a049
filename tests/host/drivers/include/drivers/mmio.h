// Stands in for kernel/drivers/mmio.h: every register access goes to the model of the device.
#ifndef DRIVERS_MMIO_H
#define DRIVERS_MMIO_H

#include "lib/types.h"

u32 model_register_read(const void *address, u32 width);
void model_register_write(void *address, u32 width, u32 value);

static inline u8 mmio_read8(const void *address) { return (u8)model_register_read(address, 1); }

static inline u16 mmio_read16(const void *address) { return (u16)model_register_read(address, 2); }

static inline u32 mmio_read32(const void *address) { return model_register_read(address, 4); }

static inline void mmio_write8(void *address, u8 value) { model_register_write(address, 1, value); }

static inline void mmio_write16(void *address, u16 value) {
    model_register_write(address, 2, value);
}

static inline void mmio_write32(void *address, u32 value) {
    model_register_write(address, 4, value);
}

#endif
