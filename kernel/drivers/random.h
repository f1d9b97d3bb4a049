// The kernel's random numbers: ChaCha20 with fast key erasure, seeded from the CPU and, when it
// is there, the machine's entropy device.
//
// Rules:
// - random_bytes() never waits and never fails; from random_is_seeded() on its bytes are fit for
//   keys. What was given out can't be found from the state afterwards.
// - Entropy that somebody else knows, or chose, does no harm.
#pragma once

#include "lib/types.h"

// Boot, before all else here: seeds from the CPU and the clock.
void random_init(void);
// Any context; takes a lock of rank LOCK_DRIVER.
void random_bytes(void *to, usize size);
// True once a source that can be relied on has been mixed in.
bool random_is_seeded(void);

enum random_quality : u32 { RANDOM_WEAK, RANDOM_STRONG };
// Mixes bytes into the state.
void random_mix(const void *entropy, usize size, enum random_quality quality);

// Zeroes what must not stay in memory; the compiler can't leave it out.
void random_wipe(void *memory, usize size);

// Sets who is asked, from random_bytes() without a lock held, when new entropy is due; it answers
// later with random_mix(). Boot CPU.
void random_source_set(void (*request)(void));
