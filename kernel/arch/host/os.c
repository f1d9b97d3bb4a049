// What the host's operating system gives: pthreads, time, memory. Includes no kernel header.
#include "os.h"

#include <errno.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct host_gate {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    unsigned long count;
};

struct host_mutex {
    pthread_mutex_t mutex;
};

// 0: the host's clock. Else the time, which is a little later whenever it is asked.
static unsigned long stopped_ns;
enum { ASKED_NS = 100 };

void *host_os_alloc(unsigned long size) {
    void *memory = calloc(1, size);
    if (!memory) abort();
    return memory;
}

void *host_os_resize(void *memory, unsigned long size) {
    void *resized = realloc(memory, size);
    if (!resized) abort();
    return resized;
}

void host_os_free(void *memory) { free(memory); }

void host_os_hide(const void *memory, unsigned long size) {
    ASAN_POISON_MEMORY_REGION(memory, size);
    (void)memory, (void)size;
}

void host_os_show(const void *memory, unsigned long size) {
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    (void)memory, (void)size;
}

struct host_gate *host_gate_create(void) {
    struct host_gate *gate = host_os_alloc(sizeof(*gate));
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&gate->condition, &attributes);
    pthread_mutex_init(&gate->mutex, NULL);
    return gate;
}

void host_gate_destroy(struct host_gate *gate) {
    pthread_cond_destroy(&gate->condition);
    pthread_mutex_destroy(&gate->mutex);
    free(gate);
}

void host_gate_post(struct host_gate *gate) {
    pthread_mutex_lock(&gate->mutex);
    gate->count++;
    pthread_cond_signal(&gate->condition);
    pthread_mutex_unlock(&gate->mutex);
}

void host_gate_wait(struct host_gate *gate, unsigned long deadline_ns) {
    struct timespec until = {(time_t)(deadline_ns / 1000000000), (long)(deadline_ns % 1000000000)};
    int status = 0;
    pthread_mutex_lock(&gate->mutex);
    if (stopped_ns && deadline_ns != ~0ul && gate->count == 0) {
        if (stopped_ns < deadline_ns) stopped_ns = deadline_ns;
        status = ETIMEDOUT;
    }
    while (gate->count == 0 && status != ETIMEDOUT) {
        if (deadline_ns == ~0ul)
            pthread_cond_wait(&gate->condition, &gate->mutex);
        else
            status = pthread_cond_timedwait(&gate->condition, &gate->mutex, &until);
    }
    if (gate->count) gate->count--;
    pthread_mutex_unlock(&gate->mutex);
}

struct host_mutex *host_mutex_create(void) {
    struct host_mutex *mutex = host_os_alloc(sizeof(*mutex));
    pthread_mutex_init(&mutex->mutex, NULL);
    return mutex;
}

void host_mutex_destroy(struct host_mutex *mutex) {
    pthread_mutex_destroy(&mutex->mutex);
    free(mutex);
}

void host_mutex_lock(struct host_mutex *mutex) { pthread_mutex_lock(&mutex->mutex); }

void host_mutex_unlock(struct host_mutex *mutex) { pthread_mutex_unlock(&mutex->mutex); }

struct start {
    void (*entry)(void *argument);
    void *argument;
};

static void *thread_main(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    start.entry(start.argument);
    return NULL;
}

void host_os_thread_start(void (*entry)(void *argument), void *argument) {
    struct start *start = host_os_alloc(sizeof(*start));
    *start = (struct start){entry, argument};
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, start) != 0) abort();
    pthread_detach(thread);
}

void host_os_thread_exit(void) { pthread_exit(NULL); }

void host_os_time_stop(void) { stopped_ns = 1000000000; }

unsigned long host_os_time_ns(void) {
    struct timespec now;
    if (stopped_ns) return stopped_ns += ASKED_NS;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long)now.tv_sec * 1000000000 + (unsigned long)now.tv_nsec;
}

unsigned long host_os_random(void) {
    static _Thread_local unsigned long state;
    if (state == 0) state = host_os_time_ns() | 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void host_os_relax(void) {
    struct timespec moment = {0, 1000};
    nanosleep(&moment, NULL);
}

void host_os_print(const char *text, unsigned long size) {
    fwrite(text, 1, size, stdout);
    fflush(stdout);
}

void host_os_abort(void) { abort(); }

void host_os_at_exit(void (*function)(void)) { (void)atexit(function); }

void host_os_exit(int status) {
    fflush(NULL);
    _exit(status);
}
