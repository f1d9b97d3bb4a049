// ChaCha20 (RFC 8439, section 2.3), straight from the text. Little-endian machines only.
#include "drivers/chacha20.h"

#include "lib/string.h"

static inline u32 rotate_left(u32 word, u32 bits) { return word << bits | word >> (32 - bits); }

static inline void quarter_round(u32 *x, u32 a, u32 b, u32 c, u32 d) {
    x[a] += x[b], x[d] = rotate_left(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = rotate_left(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = rotate_left(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = rotate_left(x[b] ^ x[c], 7);
}

void chacha20_block(const u8 key[CHACHA20_KEY_SIZE], u32 counter,
                    const u8 nonce[CHACHA20_NONCE_SIZE], u8 block[CHACHA20_BLOCK_SIZE]) {
    u32 start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, [12] = counter}; // "expa…"
    memcpy(start + 4, key, CHACHA20_KEY_SIZE);
    memcpy(start + 13, nonce, CHACHA20_NONCE_SIZE);
    u32 x[16];
    memcpy(x, start, sizeof(x));
    for (u32 i = 0; i < 10; i++) {
        quarter_round(x, 0, 4, 8, 12);
        quarter_round(x, 1, 5, 9, 13);
        quarter_round(x, 2, 6, 10, 14);
        quarter_round(x, 3, 7, 11, 15);
        quarter_round(x, 0, 5, 10, 15);
        quarter_round(x, 1, 6, 11, 12);
        quarter_round(x, 2, 7, 8, 13);
        quarter_round(x, 3, 4, 9, 14);
    }
    for (u32 i = 0; i < 16; i++)
        x[i] += start[i];
    memcpy(block, x, CHACHA20_BLOCK_SIZE);
}
