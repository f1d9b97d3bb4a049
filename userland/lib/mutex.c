// The contended path of a mutex: mark that somebody waits, sleep, try again.
#include "lib/mutex.h"

void mutex_lock_slow(struct mutex *mutex) {
    while (__atomic_exchange_n(&mutex->word, 2, __ATOMIC_ACQUIRE) != 0) {
        mutex_wait(&mutex->word, 2);
    }
}
