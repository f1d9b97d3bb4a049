// The first program's randomness came with the clone; later ones ask the kernel.
#include "linux/random.h"

#include "lib/mutex.h"
#include "lib/string.h"
#include "linux/kernel_if.h"

static struct {
    struct mutex lock;
    bool is_given GUARDED_BY(&lock);
    u64 words[RANDOM_WORDS] GUARDED_BY(&lock);
} given;

void random_give(const u64 words[RANDOM_WORDS]) {
    mutex_lock(&given.lock);
    memcpy(given.words, words, sizeof(given.words));
    given.is_given = true;
    mutex_unlock(&given.lock);
}

void random_take(u64 words[RANDOM_WORDS]) {
    mutex_lock(&given.lock);
    bool is_given = given.is_given;
    if (is_given) {
        memcpy(words, given.words, sizeof(given.words));
        memset(given.words, 0, sizeof(given.words));
        given.is_given = false;
    }
    mutex_unlock(&given.lock);
    if (!is_given) {
        kernel_random(words, sizeof(given.words));
    }
}
