// See model.h. A refusal for lack of memory is always right; what the kernel then did is asked of
// it page by page, and must be something between nothing and all.
#include "model.h"
#include "mapping_calls.h"

static u64 random_below(struct model *model, u64 limit) {
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % limit;
}

static u64 page_va(u64 page) { return WINDOW + page * PAGE_SIZE; }

status_t space_access(struct aspace *aspace, u64 va, u32 need, u64 *value) {
    while (!host_user_access(&aspace->pmap, va, need, value, sizeof(*value))) {
        status_t status = aspace_fault(aspace, va, need);
        if (status != OK) return status;
    }
    return OK;
}

// ---- what the model says ----

// Where the page's value is; nullptr: nothing can be seen there.
static u64 *shown(struct model *model, struct model_page *page) {
    if (page->has_copy || page->object == 0) return &page->value;
    struct model_object *object = &model->objects[page->object - 1];
    return page->index < object->size ? &object->values[page->index] : nullptr;
}

static bool refused(struct model *model, status_t status) {
    if (status == ERR_NO_RESOURCES) model->refused++;
    return status == ERR_NO_RESOURCES;
}

static void page_check(struct model *model, struct model_space *space, u64 number) {
    struct model_page *page = &space->pages[number];
    const u64 *expected = page->is_mapped ? shown(model, page) : nullptr;
    u64 value = ~0ul;
    status_t status = space_access(space->aspace, page_va(number), ARCH_MAP_READ, &value);
    if (refused(model, status)) return;
    CHECK((status == OK) == (page->is_mapped && page->rights && expected));
    CHECK(status != OK || value == *expected);
}

static void page_write(struct model *model, struct model_space *space, u64 number) {
    struct model_page *page = &space->pages[number];
    u64 *there = page->is_mapped ? shown(model, page) : nullptr;
    u64 value = model->steps + 1;
    status_t status = space_access(space->aspace, page_va(number), ARCH_MAP_WRITE, &value);
    if (refused(model, status)) return;
    CHECK((status == OK) == (page->is_mapped && page->rights & CL_MAP_WRITE && there));
    if (status != OK) return;
    if (page->is_shared) {
        *there = value;
        return;
    }
    page->value = value;
    page->has_copy = true;
}

// ---- operations ----

struct range {
    u64 first, count;
};

// Often right after the one before, so that mappings become neighbours.
static struct range random_range(struct model *model) {
    bool is_next = random_below(model, 2) && model->last_end < PAGES;
    u64 first = is_next ? model->last_end : random_below(model, PAGES);
    u64 most = min(PAGES - first, random_below(model, 4) ? 8ul : (u64)PAGES);
    struct range range = {first, 1 + random_below(model, most)};
    model->last_end = first + range.count;
    return range;
}

static u32 random_rights(struct model *model) {
    static const u32 rights[] = {0, CL_MAP_READ, CL_MAP_READ | CL_MAP_WRITE,
                                 CL_MAP_READ | CL_MAP_WRITE};
    return rights[random_below(model, ARRAY_SIZE(rights))];
}

// After a refusal half-way: what is gone is gone. A page that is mapped must be as it was.
static void sync_unmapped(struct model_space *space, struct range range) {
    for (u64 i = range.first; i < range.first + range.count; i++) {
        u64 value;
        struct model_page *page = &space->pages[i];
        if (page->is_mapped && page->rights &&
            space_access(space->aspace, page_va(i), ARCH_MAP_READ, &value) == ERR_BAD_POINTER)
            page->is_mapped = false;
    }
}

static void do_map(struct model *model, struct model_space *space) {
    struct range range = random_range(model);
    u32 number = (u32)random_below(model, OBJECTS + 2);
    number = number > OBJECTS ? 0 : number;
    struct model_object *object = number ? &model->objects[number - 1] : nullptr;
    bool is_shared = object && random_below(model, 2);
    u64 index = object ? random_below(model, 8) : 0;
    bool is_exact = random_below(model, 2);
    struct aspace_map_args args = {
        .object = object ? object->memobj : nullptr,
        .offset = index << PAGE_SHIFT,
        .address = page_va(range.first),
        .size = range.count << PAGE_SHIFT,
        .flags = random_rights(model) | (is_shared ? CL_MAP_SHARED : 0u) |
                 (is_exact ? CL_MAP_EXACT : CL_MAP_FIXED) |
                 (random_below(model, 4) ? 0u : CL_MAP_POPULATE),
        .allowed_rights = ~0u,
    };
    bool is_free = true;
    for (u64 i = 0; i < range.count; i++)
        is_free &= !space->pages[range.first + i].is_mapped;
    u64 mapped;
    status_t status = aspace_map(space->aspace, &args, &mapped);
    if (refused(model, status)) {
        sync_unmapped(space, range);
        return;
    }
    status_t expected = is_exact && !is_free                           ? ERR_ALREADY_EXISTS
                        : object && index + range.count > object->size ? ERR_OUT_OF_RANGE
                                                                       : OK;
    CHECK(status == expected);
    if (status != OK) return;
    for (u64 i = 0; i < range.count; i++)
        space->pages[range.first + i] = (struct model_page){
            .is_mapped = true,
            .is_shared = is_shared,
            .rights = args.flags & MAPPING_RIGHTS,
            .object = number,
            .index = object ? index + i : 0,
        };
}

static void do_unmap(struct model *model, struct model_space *space) {
    struct range range = random_range(model);
    status_t status =
        sys_aspace_unmap(space->aspace, page_va(range.first), range.count << PAGE_SHIFT);
    if (refused(model, status)) {
        sync_unmapped(space, range);
        return;
    }
    CHECK(status == OK);
    for (u64 i = 0; i < range.count; i++)
        space->pages[range.first + i].is_mapped = false;
}

static void do_protect(struct model *model, struct model_space *space) {
    struct range range = random_range(model);
    u32 rights = random_rights(model);
    bool is_whole = true;
    for (u64 i = 0; i < range.count; i++)
        is_whole &= space->pages[range.first + i].is_mapped;
    status_t status =
        sys_aspace_protect(space->aspace, page_va(range.first), range.count << PAGE_SHIFT, rights);
    if (refused(model, status)) return;
    CHECK(status == (is_whole ? OK : ERR_NOT_FOUND));
    for (u64 i = 0; i < range.count && status == OK; i++)
        space->pages[range.first + i].rights = rights;
}

static void do_discard(struct model *model, struct model_space *space) {
    struct range range = random_range(model);
    CHECK(sys_aspace_discard(space->aspace, page_va(range.first), range.count << PAGE_SHIFT) == OK);
    for (u64 i = 0; i < range.count; i++) {
        space->pages[range.first + i].has_copy = false;
        space->pages[range.first + i].value = 0;
    }
}

static void do_move(struct model *model, struct model_space *space) {
    struct range range = random_range(model);
    u64 target = random_below(model, PAGES);
    u64 moved;
    bool is_inside = target + range.count <= PAGES;
    bool is_apart = target + range.count <= range.first || target >= range.first + range.count;
    if (!is_inside || !is_apart) return;
    bool is_free = true;
    for (u64 i = 0; i < range.count; i++)
        is_free &= !space->pages[target + i].is_mapped;
    u64 size = range.count << PAGE_SHIFT;
    status_t status =
        sys_aspace_move(space->aspace, page_va(range.first), size, page_va(target), size, &moved);
    // Whether it is one mapping the model does not know.
    if (refused(model, status) || status == ERR_NOT_FOUND) return;
    CHECK(status == (is_free ? OK : ERR_ALREADY_EXISTS));
    for (u64 i = 0; i < range.count && status == OK; i++) {
        CHECK(space->pages[range.first + i].is_mapped);
        space->pages[target + i] = space->pages[range.first + i];
        space->pages[range.first + i].is_mapped = false;
    }
}

static void do_fork(struct model *model, struct model_space *space) {
    struct model_space *twin = &model->spaces[random_below(model, SPACES)];
    if (twin == space) return;
    if (twin->aspace) object_put(&twin->aspace->base);
    twin->aspace = nullptr;
    status_t status = aspace_copy(space->aspace, space->aspace->base.ns, nullptr, &twin->aspace);
    if (refused(model, status)) {
        twin->aspace = nullptr;
        return;
    }
    CHECK(status == OK);
    __builtin_memcpy(twin->pages, space->pages, sizeof(twin->pages));
}

static void do_resize(struct model *model) {
    u32 number = (u32)random_below(model, OBJECTS);
    struct model_object *object = &model->objects[number];
    u64 size = 1 + random_below(model, OBJECT_PAGES);
    CHECK(sys_memobj_resize(object->memobj, size << PAGE_SHIFT) == OK);
    for (u64 i = size; i < object->size; i++)
        object->values[i] = 0;
    object->size = size;
    // Private copies of pages that are beyond the end went as well.
    for (u32 s = 0; s < SPACES; s++)
        for (u64 i = 0; i < PAGES; i++) {
            struct model_page *page = &model->spaces[s].pages[i];
            if (page->object == number + 1 && page->index >= size) page->has_copy = false;
        }
}

// Dies, with all its mappings, and another comes in its place.
static void do_kill(struct model *model) {
    u32 number = (u32)random_below(model, OBJECTS);
    struct model_object *object = &model->objects[number];
    struct memobj *fresh;
    if (refused(model, memobj_create(model->ns, OBJECT_PAGES, &fresh))) return;
    object_kill(&object->memobj->base);
    object_put(&object->memobj->base);
    *object = (struct model_object){.memobj = fresh, .size = OBJECT_PAGES};
    for (u32 s = 0; s < SPACES; s++)
        for (u64 i = 0; i < PAGES; i++)
            if (model->spaces[s].pages[i].object == number + 1)
                model->spaces[s].pages[i] = (struct model_page){};
}

static void space_make(struct model *model, struct model_space *space) {
    *space = (struct model_space){};
    status_t status = aspace_create(model->ns, model->owner, &space->aspace);
    if (refused(model, status)) space->aspace = nullptr;
}

static void space_step(struct model *model, struct model_space *space) {
    static void (*const operations[])(struct model *, struct model_space *) = {
        do_map, do_map, do_unmap, do_protect, do_discard, do_move, do_fork,
    };
    if (random_below(model, 3) == 0) {
        operations[random_below(model, ARRAY_SIZE(operations))](model, space);
        return;
    }
    for (u32 i = 0; i < 4; i++) {
        page_write(model, space, random_below(model, PAGES));
        page_check(model, space, random_below(model, PAGES));
    }
}

void model_step(struct model *model) {
    struct model_space *space = &model->spaces[random_below(model, SPACES)];
    model->steps++;
    if (random_below(model, 60) == 0) do_resize(model);
    if (random_below(model, 300) == 0) do_kill(model);
    if (!space->aspace) space_make(model, space);
    if (space->aspace) space_step(model, space);
    if (model->steps % 64 == 0 && space->aspace)
        for (u64 i = 0; i < PAGES; i++)
            page_check(model, space, i);
}

void model_begin(struct model *model, struct namespace *ns, struct aspace *owner, u64 seed) {
    *model = (struct model){.ns = ns, .owner = owner, .random = seed * 2654435761u + 1};
    for (u32 i = 0; i < OBJECTS; i++) {
        CHECK(memobj_create(ns, OBJECT_PAGES, &model->objects[i].memobj) == OK);
        model->objects[i].size = OBJECT_PAGES;
    }
}

void model_end(struct model *model) {
    for (u32 i = 0; i < SPACES; i++)
        if (model->spaces[i].aspace) object_put(&model->spaces[i].aspace->base);
    for (u32 i = 0; i < OBJECTS; i++)
        object_put(&model->objects[i].memobj->base);
}
