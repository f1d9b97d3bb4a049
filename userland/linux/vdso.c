#include "linux/vdso.h"

#include "lib/mutex.h"
#include "linux/kernel_if.h"
#include "linux/memory.h"

// As userland/vdso/vdso.c has it.
struct vdso_clock {
    u64 tsc_base;
    u64 ns_per_tsc;
    u64 wall_ns;
};

static struct {
    struct mutex lock;
    handle_t memobj GUARDED_BY(&lock); // 0: not made yet
} vdso;

static int vdso_make(handle_t *out) {
    struct vdso_clock clock;
    kernel_clock_scale(&clock.tsc_base, &clock.ns_per_tsc, &clock.wall_ns);
    int result = kernel_memobj_create(PAGE_SIZE, out);
    if (result == 0) {
        result = kernel_memobj_write(*out, 0, vdso_image, vdso_bytes);
    }
    return result != 0 ? result
                       : kernel_memobj_write(*out, vdso_clock_offset, &clock, sizeof(clock));
}

static handle_t vdso_memobj(void) {
    mutex_lock(&vdso.lock);
    if (!vdso.memobj && vdso_make(&vdso.memobj) != 0) {
        vdso.memobj = 0;
    }
    handle_t memobj = vdso.memobj;
    mutex_unlock(&vdso.lock);
    return memobj;
}

u64 vdso_map(struct memory *memory, u64 address) {
    struct map_request request = {
        .address = address,
        .size = PAGE_SIZE,
        .access = CL_MAP_READ | CL_MAP_EXECUTE,
        .placement = CL_MAP_EXACT,
        .traits = REGION_SPECIAL,
        .memobj = vdso_memobj(),
    };
    i64 mapped = request.memobj ? memory_map(memory, NULL, &request) : 0;
    return mapped > 0 ? (u64)mapped : 0;
}
