// What the host's operating system gives. Apart from kernel headers, whose names clash with libc's.
#pragma once

// A counting semaphore.
struct host_gate;
struct host_gate *host_gate_create(void);
void host_gate_destroy(struct host_gate *gate);
void host_gate_post(struct host_gate *gate);
// Returns at the latest at `deadline_ns`.
void host_gate_wait(struct host_gate *gate, unsigned long deadline_ns);

struct host_mutex;
struct host_mutex *host_mutex_create(void);
void host_mutex_destroy(struct host_mutex *mutex);
void host_mutex_lock(struct host_mutex *mutex);
void host_mutex_unlock(struct host_mutex *mutex);

// Detached; ends when `entry` returns or calls host_os_thread_exit().
void host_os_thread_start(void (*entry)(void *argument), void *argument);
_Noreturn void host_os_thread_exit(void);

unsigned long host_os_time_ns(void);
void host_os_time_stop(void);
unsigned long host_os_random(void);
void host_os_relax(void);
void host_os_print(const char *text, unsigned long size);
_Noreturn void host_os_abort(void);
// To be called by whoever calls libc's exit(), which is a test that has passed.
void host_os_at_exit(void (*function)(void));
_Noreturn void host_os_exit(int status);
// Zeroed; never fails.
void *host_os_alloc(unsigned long size);
void *host_os_resize(void *memory, unsigned long size);
void host_os_free(void *memory);
// Tells AddressSanitizer, if it is there, that nobody may look at this; and that all may again.
void host_os_hide(const void *memory, unsigned long size);
void host_os_show(const void *memory, unsigned long size);
