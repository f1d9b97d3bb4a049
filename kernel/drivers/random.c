// The random generator. The state is one ChaCha20 key: each use replaces it by the first half of
// a block made with it, and hands out the rest (D. J. Bernstein, "Fast-key-erasure random-number
// generators", 2017). Mixing is xor into the key and one such step. Lock: random_lock.
#include "drivers/random.h"

#include "arch/arch.h"
#include "drivers/chacha20.h"
#include "lib/lock.h"
#include "lib/string.h"

enum : u64 { RESEED_BYTES = MIB(1), RESEED_NS = 60ul * 1000 * 1000 * 1000 };
enum : u32 { CPU_SEED_WORDS = 4 };

static struct lock random_lock = LOCK_INIT(LOCK_DRIVER);
static u8 key[CHACHA20_KEY_SIZE] GUARDED_BY(&random_lock);
static u64 bytes_since GUARDED_BY(&random_lock); // since new entropy was asked for
static u64 asked_ns GUARDED_BY(&random_lock);
static u32 seeded;                   // atomic
static void (*source_request)(void); // set at boot

static const u8 nonce[CHACHA20_NONCE_SIZE];

void random_wipe(void *memory, usize size) {
    memset(memory, 0, size);
    asm volatile("" ::"r"(memory) : "memory");
}

// Replaces the key and gives the other half of its block.
static void key_step(u8 out[CHACHA20_KEY_SIZE]) REQUIRES(&random_lock) {
    u8 block[CHACHA20_BLOCK_SIZE];
    chacha20_block(key, 0, nonce, block);
    memcpy(key, block, CHACHA20_KEY_SIZE);
    memcpy(out, block + CHACHA20_KEY_SIZE, CHACHA20_KEY_SIZE);
    random_wipe(block, sizeof(block));
}

void random_mix(const void *entropy, usize size, enum random_quality quality) {
    const u8 *bytes = entropy;
    u8 unused[CHACHA20_KEY_SIZE];
    lock_acquire(&random_lock);
    for (usize i = 0; i < size; i++) {
        key[i % CHACHA20_KEY_SIZE] ^= bytes[i];
        if (i % CHACHA20_KEY_SIZE == CHACHA20_KEY_SIZE - 1 || i == size - 1) key_step(unused);
    }
    lock_release(&random_lock);
    random_wipe(unused, sizeof(unused));
    if (quality == RANDOM_STRONG) __atomic_store_n(&seeded, 1, __ATOMIC_RELEASE);
}

void random_init(void) {
    u64 seed[CPU_SEED_WORDS];
    for (u32 i = 0; i < CPU_SEED_WORDS; i++)
        seed[i] = arch_entropy() ^ arch_time_ns();
    random_mix(seed, sizeof(seed), RANDOM_WEAK);
    random_wipe(seed, sizeof(seed));
}

static bool reseed_due_locked(usize size) REQUIRES(&random_lock) {
    u64 now_ns = arch_time_ns();
    bytes_since += size;
    if (bytes_since < RESEED_BYTES && now_ns - asked_ns < RESEED_NS) return false;
    bytes_since = 0;
    asked_ns = now_ns;
    return true;
}

void random_bytes(void *to, usize size) {
    // A key for this call alone, so that long answers are made without the lock.
    u8 own_key[CHACHA20_KEY_SIZE];
    lock_acquire(&random_lock);
    key_step(own_key);
    bool due = reseed_due_locked(size);
    lock_release(&random_lock);

    u8 *bytes = to;
    u8 block[CHACHA20_BLOCK_SIZE];
    for (u32 counter = 0; size > 0; counter++) {
        usize part = min(size, (usize)CHACHA20_BLOCK_SIZE);
        chacha20_block(own_key, counter, nonce, block);
        memcpy(bytes, block, part);
        bytes += part;
        size -= part;
    }
    random_wipe(block, sizeof(block));
    random_wipe(own_key, sizeof(own_key));
    if (due && source_request) source_request();
}

bool random_is_seeded(void) { return __atomic_load_n(&seeded, __ATOMIC_ACQUIRE) != 0; }

void random_source_set(void (*request)(void)) { source_request = request; }
