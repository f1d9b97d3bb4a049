// A virtio PCI device in memory, for tests of the drivers: configuration space, MSI-X, the common
// registers, split queues, and the three device types. It checks what the driver does (CHECK), and
// can be told to misbehave.
//
// Rules:
// - One device for each process: model_start() once, then drivers_init().
// - The device does nothing by itself: model_run() lets it carry out what was published, and then
//   delivers the interrupts.
#ifndef MODEL_H
#define MODEL_H

#include "drivers/virtio.h"
#include "lib/types.h"

#define CHECK(condition)                                              \
    do {                                                              \
        if (!(condition)) model_fail(__FILE__, __LINE__, #condition); \
    } while (0)
_Noreturn void model_fail(const char *file, int line, const char *condition);

enum : u64 {
    MODEL_MMIO_BASE = 0x100000000000, // where arch_mmio_map() pretends to map
    MODEL_ECAM = 0xb0000000,
};
enum : u32 { MODEL_DISK_SECTORS = 512, MODEL_QUEUES = 2 };

// How the device misbehaves at the next chain that it finishes.
enum model_evil : u32 {
    EVIL_NONE,
    EVIL_ID_OUT_OF_RANGE,
    EVIL_ID_NOT_IN_FLIGHT,
    EVIL_ID_TWICE,
    EVIL_LENGTH,       // says that it wrote more than it was given
    EVIL_LENGTH_SHORT, // says that it wrote nothing
    EVIL_INDEX_JUMP,   // says that many more chains are done
    EVIL_INDEX_BACK,
    EVIL_STATUS,  // disk: an error
    EVIL_GARBAGE, // anything at all, everywhere that it may write
};

struct model_queue {
    u16 size;
    u16 enabled;
    u16 vector;
    u16 seen; // chains taken from the available ring
    u64 descriptors, available, used;
    u16 interrupt; // pending
};

struct model {
    // To be set before drivers_init():
    u16 type; // VIRTIO_TYPE_*
    u64 features;
    u16 queue_size_max;
    u16 notify_offset[MODEL_QUEUES];
    u32 notify_multiplier;
    u32 msix_entries;
    u32 behind_bridge; // 1: the device is on bus 1
    bool features_refused, reset_stuck, capabilities_loop, bar_unset;
    u32 caps_shift; // added to the offset of each register block
    // Any time:
    enum model_evil evil;
    u32 hold; // 1: takes chains, and finishes none
    // What happened:
    u8 status;
    u32 resets, notifies;
    struct model_queue queue[MODEL_QUEUES];
    u8 disk[MODEL_DISK_SECTORS * 512];
    u8 sent[2048]; // the last frame
    u32 sent_size, sent_count;
    u8 incoming[2048]; // frame to be received at the next model_run()
    u32 incoming_size;
};

extern struct model model;
extern u32 model_locks_held;

void model_start(u16 type, u64 features);
// Returns how many chains were finished.
u32 model_run(void);
// Calls the handler that the driver was given this vector for.
void model_interrupt(u32 vector);
// Deterministic.
u32 model_random(void);
void model_random_seed(u32 seed);
// A page of RAM for data.
u64 model_page(void);

#endif
