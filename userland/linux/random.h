// Randomness for new programs.
#pragma once

#include "lib/types.h"

enum { RANDOM_WORDS = 4 };

// What a clone was born with; used once.
void random_give(const u64 words[RANDOM_WORDS]);
// 256 fresh bits.
void random_take(u64 words[RANDOM_WORDS]);
