// The ChaCha20 block function (RFC 8439, section 2.3), for the random generator.
#pragma once

#include "lib/types.h"

enum : u32 { CHACHA20_KEY_SIZE = 32, CHACHA20_NONCE_SIZE = 12, CHACHA20_BLOCK_SIZE = 64 };

// One block of key stream.
void chacha20_block(const u8 key[CHACHA20_KEY_SIZE], u32 counter,
                    const u8 nonce[CHACHA20_NONCE_SIZE], u8 block[CHACHA20_BLOCK_SIZE]);
