#include "linux/regions.h"

#include "abi/types.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"

// A change splits two regions at most, and adds one.
enum { CAPACITY_FIRST = 8, CHANGE_ROOM = 3 };

static struct regions *regions_alloc(u32 capacity) {
    struct regions *regions = heap_alloc(sizeof(*regions) + capacity * sizeof(struct region));
    if (regions) {
        regions->references = 1;
        regions->count = 0;
        regions->capacity = capacity;
    }
    return regions;
}

struct regions *regions_create(void) { return regions_alloc(CAPACITY_FIRST); }

struct regions *regions_get(struct regions *regions) {
    __atomic_fetch_add(&regions->references, 1, __ATOMIC_RELAXED);
    return regions;
}

static void file_get_of(const struct region *region) {
    if (region->file) {
        file_get(region->file);
    }
}

void regions_put(struct regions *regions) {
    if (!regions || __atomic_fetch_sub(&regions->references, 1, __ATOMIC_ACQ_REL) != 1) {
        return;
    }
    for (u32 i = 0; i < regions->count; i++) {
        file_put(regions->list[i].file);
    }
    heap_free(regions);
}

int regions_reserve(struct regions **regions) {
    struct regions *old = *regions;
    bool is_shared = __atomic_load_n(&old->references, __ATOMIC_ACQUIRE) > 1;
    bool has_room = old->count + CHANGE_ROOM <= old->capacity;
    if (!is_shared && has_room) {
        return 0;
    }
    struct regions *copy = regions_alloc(has_room ? old->capacity : old->capacity * 2);
    if (!copy) {
        return -ENOMEM;
    }
    copy->count = old->count;
    memcpy(copy->list, old->list, old->count * sizeof(struct region));
    for (u32 i = 0; i < copy->count; i++) {
        file_get_of(&copy->list[i]);
    }
    regions_put(old);
    *regions = copy;
    return 0;
}

// The index of the first region that ends above the address.
static u32 index_of(const struct regions *regions, u64 address) {
    u32 low = 0;
    u32 high = regions->count;
    while (low < high) {
        u32 middle = (low + high) / 2;
        if (regions->list[middle].end > address) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

const struct region *regions_find(const struct regions *regions, u64 address) {
    u32 index = index_of(regions, address);
    return index < regions->count ? &regions->list[index] : NULL;
}

u64 regions_hole(const struct regions *regions, u64 start, u64 end) {
    for (u32 i = index_of(regions, start); start < end; i++) {
        if (i == regions->count || regions->list[i].start > start) {
            return start;
        }
        start = regions->list[i].end;
    }
    return end;
}

static bool is_refused(const struct region *region, u32 access) {
    return ((access & CL_MAP_WRITE) && (region->traits & REGION_NO_WRITE)) ||
           ((access & CL_MAP_EXECUTE) && (region->traits & REGION_NO_EXECUTE));
}

u64 regions_refusal(const struct regions *regions, u64 start, u64 end, u32 access) {
    u32 index = index_of(regions, start);
    while (index < regions->count && regions->list[index].start < end) {
        if (is_refused(&regions->list[index], access)) {
            return max(regions->list[index].start, start);
        }
        index++;
    }
    return end;
}

static void insert_at(struct regions *regions, u32 index, const struct region *region) {
    memmove(&regions->list[index + 1], &regions->list[index],
            (regions->count - index) * sizeof(*region));
    regions->list[index] = *region;
    regions->count++;
}

static void remove_at(struct regions *regions, u32 index) {
    file_put(regions->list[index].file);
    regions->count--;
    memmove(&regions->list[index], &regions->list[index + 1],
            (regions->count - index) * sizeof(struct region));
}

// Cuts the region around this address, if there is one, in two.
static void split(struct regions *regions, u64 address) {
    u32 index = index_of(regions, address);
    if (index == regions->count || regions->list[index].start >= address) {
        return;
    }
    struct region upper = regions->list[index];
    file_get_of(&upper);
    upper.offset += address - upper.start;
    upper.start = address;
    regions->list[index].end = address;
    insert_at(regions, index + 1, &upper);
}

static bool is_one(const struct region *lower, const struct region *upper) {
    return lower->end == upper->start && lower->access == upper->access &&
           lower->traits == upper->traits && lower->file == upper->file &&
           (!lower->file || lower->offset + (lower->end - lower->start) == upper->offset) &&
           (lower->file || !(lower->traits & REGION_SHARED));
}

static void merge(struct regions *regions, u64 start, u64 end) {
    u32 index = index_of(regions, start ? start - 1 : 0);
    while (index + 1 < regions->count && regions->list[index].end <= end) {
        struct region *lower = &regions->list[index];
        if (is_one(lower, lower + 1)) {
            lower->end = lower[1].end;
            remove_at(regions, index + 1);
        } else {
            index++;
        }
    }
}

void regions_clear(struct regions *regions, u64 start, u64 end) {
    split(regions, start);
    split(regions, end);
    u32 index = index_of(regions, start);
    while (index < regions->count && regions->list[index].start < end) {
        remove_at(regions, index);
    }
}

void regions_set(struct regions *regions, const struct region *region) {
    regions_clear(regions, region->start, region->end);
    file_get_of(region);
    insert_at(regions, index_of(regions, region->start), region);
    merge(regions, region->start, region->end);
}

void regions_protect(struct regions *regions, u64 start, u64 end, u32 access) {
    split(regions, start);
    split(regions, end);
    for (u32 i = index_of(regions, start); i < regions->count && regions->list[i].start < end;
         i++) {
        regions->list[i].access = access;
    }
    merge(regions, start, end);
}

void regions_move(struct regions *regions, u64 start, u64 size, u64 target, u64 target_size) {
    const struct region *found = regions_find(regions, start);
    if (!found || found->start > start) {
        return;
    }
    struct region moved = *found;
    file_get_of(&moved);
    moved.offset += start - moved.start;
    moved.start = target;
    moved.end = target + target_size;
    regions_clear(regions, start, start + size);
    regions_set(regions, &moved);
    file_put(moved.file);
}

static u64 bytes_of(const struct region *region) {
    u64 bytes = region->end - region->start;
    return region->traits & REGION_STACK ? min(bytes, REGION_STACK_SHOWN_BYTES) : bytes;
}

u64 regions_bytes(const struct regions *regions) {
    u64 bytes = 0;
    for (u32 i = 0; i < regions->count; i++) {
        bytes += bytes_of(&regions->list[i]);
    }
    return bytes;
}

u64 regions_data_bytes(const struct regions *regions) {
    u64 bytes = 0;
    for (u32 i = 0; i < regions->count; i++) {
        const struct region *region = &regions->list[i];
        if ((region->access & CL_MAP_WRITE) && !(region->traits & (REGION_SHARED | REGION_STACK))) {
            bytes += bytes_of(region);
        }
    }
    return bytes;
}
