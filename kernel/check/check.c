// All of it at once: what is looked at in which order, and which differences stay.
#include "check/check.h"

#include "abi/names.h"
#include "object/thread_object.h"

enum { DIFFERENCES_MAX = 64, LOOKS = 12 };

struct difference {
    const char *kind;
    u64 id;
    u64 payer; // koid
    const char *what;
    u64 recorded, found;
};
struct differences {
    u32 count;
    struct difference list[DIFFERENCES_MAX];
};

static struct differences now, lasting;
static u32 objects_count;

// ---- differences ----

static void difference_add(const struct difference *difference) {
    if (now.count < DIFFERENCES_MAX) now.list[now.count++] = *difference;
}

static u64 koid_of(const struct namespace *ns) { return ns ? ns->base.koid : 0; }

void check_equal(const struct object *of, const char *what, u64 recorded, u64 found) {
    if (recorded == found) return;
    difference_add(&(struct difference){
        .kind = cl_object_name(of->type),
        .id = of->koid,
        .payer = koid_of(of->ns),
        .what = what,
        .recorded = recorded,
        .found = found,
    });
}

void check_page_equal(const struct page *page, const char *what, u64 recorded, u64 found) {
    if (recorded == found) return;
    const struct namespace *ns = container_of(page->payer, struct namespace, ledger);
    bool is_known = found_ns_of(page->payer)->ns == ns;
    difference_add(&(struct difference){
        .kind = "page at",
        .id = page_paddr(page),
        .payer = is_known ? ns->base.koid : 0,
        .what = what,
        .recorded = recorded,
        .found = found,
    });
}

void check_unknown(const char *what, const void *address) {
    difference_add(&(struct difference){"object at", (u64)address, 0, what, 0, 1});
}

void check_rule(const struct object *of, const char *what, bool holds) {
    check_equal(of, what, 1, holds);
}

u32 check_list(const struct object *of, const char *what, const struct list *list) {
    u32 count = 0;
    for (const struct list *node = list->next; node != list; node = node->next, count++) {
        if (node->next->prev == node && node->prev->next == node) continue;
        check_rule(of, what, false);
        break;
    }
    return count;
}

static bool is_same(const struct difference *a, const struct difference *b) {
    return a->kind == b->kind && a->id == b->id && a->what == b->what &&
           a->recorded == b->recorded && a->found == b->found;
}

static bool is_among(const struct difference *difference, const struct differences *all) {
    for (u32 i = 0; i < all->count; i++)
        if (is_same(difference, &all->list[i])) return true;
    return false;
}

// What is there again.
static void lasting_keep(void) {
    u32 kept = 0;
    for (u32 i = 0; i < lasting.count; i++)
        if (is_among(&lasting.list[i], &now)) lasting.list[kept++] = lasting.list[i];
    lasting.count = kept;
}

static void difference_print(const struct difference *difference) {
    klog(LOG_ERROR, "check: %s %lu of namespace %lu: %s: recorded %lu, found %lu\n",
         difference->kind, difference->id, difference->payer, difference->what,
         difference->recorded, difference->found);
}

// ---- the looks ----

typedef void object_pass(struct object *object);

// Depth is bounded by LEDGER_DEPTH_MAX, and so is the recursion.
static void for_each_object(struct namespace *ns, object_pass *pass) {
    struct object *object;
    list_for_each(object, &ns->objects, ns_link) {
        pass(object);
        if (object->type == OBJ_NAMESPACE) for_each_object((struct namespace *)object, pass);
    }
}

static void register_object(struct object *object) {
    found_add_object(object);
    objects_count++;
}

static void compare_namespace(struct object *object) {
    if (object->type == OBJ_NAMESPACE) compare_ledger((struct namespace *)object);
}

static void find_stack(struct object *object) {
    if (object->type == OBJ_THREAD && object->refs != 0)
        check_stack((struct thread_object *)object);
}

static void for_all(object_pass *pass) {
    pass(&ns_root->base);
    for_each_object(ns_root, pass);
}

static void look(void) {
    now.count = 0;
    objects_count = 0;
    if (!found_clear()) return;
    for_all(register_object);
    for_all(find_object);
    for_all(find_stack);
    check_machine_pages();
    for_all(compare_object);
    compare_pages();
    for_all(compare_namespace);
}

u32 object_check_all(void) {
    for (u32 i = 0; i < LOOKS; i++) {
        check_stop_others();
        look();
        if (i == 0)
            lasting = now;
        else
            lasting_keep();
        bool is_clean = lasting.count == 0;
        check_go_on();
        if (is_clean) return 0;
        check_pause();
    }
    for (u32 i = 0; i < lasting.count; i++)
        difference_print(&lasting.list[i]);
    return lasting.count;
}

void object_check_or_panic(void) {
    u64 begin_ns = arch_time_ns();
    u32 count = object_check_all();
    if (count)
        panic("object_check_all: %u differences between what is recorded and what is there", count);
    kprintf("check: all is as recorded, of %u objects (%lu us)\n", objects_count,
            (arch_time_ns() - begin_ns) / 1000);
}
