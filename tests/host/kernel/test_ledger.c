// Ledgers alone, in a Unix process: test_ledger SEED STEPS CPUS. No page is behind their credit.
// One CPU: a charge passes exactly when no limit, no reservation and not the machine's memory is
// against it, however the credit is spread. More CPUs: no more is given out than there is, and all
// of it is back at the end.
#include "arch/host/host.h"
#include "mm/ledger.h"
#include "model.h"
#include "object/thread_object.h"
#include <stdlib.h>

// The tree: 0 is the root, 1 and 2 are below it, 3 and 4 below 1, 5 below 3.
enum { NODES = 6, PAGES_MOST = 20, RESERVED = 250 };

static const u32 parents[NODES] = {0, 0, 0, 1, 1, 3};

struct tree {
    struct ledger nodes[NODES];
    i64 used[NODES]; // atomic
    i64 total;
};

static struct {
    u64 seed, steps;
    u32 cpus;
} options;

static struct tree tree;
static u32 running; // atomic
static u32 turns;   // atomic

static u64 random_next(u64 *random) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random >> 8;
}

static void tree_begin(i64 total) {
    tree.total = total;
    for (u32 i = 0; i < NODES; i++) {
        ledger_init(&tree.nodes[i], i ? &tree.nodes[parents[i]] : nullptr);
        tree.used[i] = 0;
    }
    ledger_root_add(&tree.nodes[0], total);
}

// Each figure fits the others: nothing is lost, nothing is there twice.
static void tree_check(void) {
    i64 children[NODES] = {};
    for (u32 i = NODES; i-- > 1;)
        children[parents[i]] += tree.nodes[i].drawn_pages;
    for (u32 i = 0; i < NODES; i++) {
        struct ledger *ledger = &tree.nodes[i];
        CHECK(ledger->children_pages == children[i]);
        CHECK(ledger_used_pages(ledger) == tree.used[i]);
        CHECK(ledger->drawn_pages >= ledger->reserved_pages || i == 0);
        CHECK(ledger->drawn_pages <= ledger->limit_pages);
        CHECK(ledger->idle_pages >= 0);
    }
}

static void tree_end(void) {
    for (u32 i = NODES; i-- > 0;) {
        struct ledger *ledger = &tree.nodes[i];
        CHECK(ledger_set_memory(ledger, ledger->limit_pages, 0) == OK);
        ledger_uncharge(ledger, tree.used[i]);
        tree.used[i] = 0;
    }
    ledger_recall(&tree.nodes[0]);
    tree_check();
    CHECK(tree.nodes[0].idle_pages == tree.total);
    for (u32 i = NODES; i-- > 1;)
        ledger_destroy(&tree.nodes[i]);
}

// ---- what passes, by the model ----

// What a ledger keeps from the others: what it uses and set aside, and its children likewise.
static i64 committed(u32 node) {
    i64 pages = tree.used[node];
    for (u32 i = node + 1; i < NODES; i++) {
        if (parents[i] == node) pages += committed(i);
    }
    return max(pages, tree.nodes[node].reserved_pages);
}

static bool tree_fits(void) {
    for (u32 i = 0; i < NODES; i++) {
        if (committed(i) > (i ? tree.nodes[i].limit_pages : tree.total)) return false;
    }
    return true;
}

static void charge_random(u64 *random) {
    u32 node = (u32)(random_next(random) % NODES);
    i64 pages = random_next(random) % 4 ? 1 : 1 + (i64)(random_next(random) % PAGES_MOST);
    tree.used[node] += pages;
    bool fits = tree_fits();
    CHECK((ledger_charge(&tree.nodes[node], pages) == OK) == fits);
    if (!fits) tree.used[node] -= pages;
}

static void uncharge_random(u64 *random) {
    u32 node = (u32)(random_next(random) % NODES);
    i64 pages = min(tree.used[node], (i64)(random_next(random) % PAGES_MOST));
    ledger_uncharge(&tree.nodes[node], pages);
    tree.used[node] -= pages;
}

static void reserve_random(u64 *random) {
    u32 node = 1 + (u32)(random_next(random) % (NODES - 1));
    struct ledger *ledger = &tree.nodes[node];
    i64 before = ledger->reserved_pages;
    ledger->reserved_pages = random_next(random) % 3 ? (i64)(random_next(random) % 200) : 0;
    i64 asked = ledger->reserved_pages;
    bool fits = tree_fits();
    ledger->reserved_pages = before;
    CHECK((ledger_set_memory(ledger, ledger->limit_pages, asked) == OK) == fits);
}

static void test_model(void) {
    u64 random = options.seed * 2654435761u + 1;
    tree_begin(100 + (i64)(random_next(&random) % 400));
    for (u32 i = 1; i < NODES; i++) {
        if (random_next(&random) % 2)
            CHECK(ledger_set_memory(&tree.nodes[i], 30 + (i64)(random_next(&random) % 200), 0) ==
                  OK);
    }
    for (u64 i = 0; i < options.steps; i++) {
        // Up to full and down again, since what is worth a look happens when little is left.
        bool is_filling = i / 256 % 2 == 0;
        u64 what = random_next(&random) % 64;
        if (what == 0)
            reserve_random(&random);
        else if (what < (is_filling ? 48 : 24))
            charge_random(&random);
        else
            uncharge_random(&random);
        tree_check();
    }
    tree_end();
}

// A chunk that is there in pieces only: some with the parent, the rest with its parent. What the
// recall takes on the way is the parent's own piece.
static void test_pieces(void) {
    for (i64 root = 0; root < LEDGER_CHUNK_PAGES; root++) {
        for (i64 parent = 0; parent < LEDGER_CHUNK_PAGES; parent++) {
            tree_begin(LEDGER_CHUNK_PAGES + root);
            tree.used[1] = LEDGER_CHUNK_PAGES - parent;
            CHECK(ledger_charge(&tree.nodes[1], tree.used[1]) == OK);
            while (ledger_charge(&tree.nodes[3], 1) == OK)
                tree.used[3]++;
            CHECK(tree.used[3] == root + parent);
            tree_check();
            tree_end();
        }
    }
}

// ---- many at once ----

static void worker(void *argument) {
    u64 random = (u64)argument;
    i64 mine[NODES] = {};
    for (u64 i = 0; i < options.steps; i++) {
        u32 node = (u32)(random_next(&random) % NODES);
        i64 pages = random_next(&random) % 8 ? 1 : 1 + (i64)(random_next(&random) % PAGES_MOST);
        bool is_charge = random_next(&random) % 64 < (i / 256 % 2 ? 40 : 24);
        if (is_charge && ledger_charge(&tree.nodes[node], pages) == OK) {
            i64 used = __atomic_add_fetch(&tree.used[0], pages, __ATOMIC_SEQ_CST);
            CHECK(used <= tree.total);
            mine[node] += pages;
        } else if (!is_charge && mine[node] >= pages) {
            __atomic_fetch_sub(&tree.used[0], pages, __ATOMIC_SEQ_CST);
            ledger_uncharge(&tree.nodes[node], pages);
            mine[node] -= pages;
        }
        sched_preempt_point();
    }
    for (u32 i = 0; i < NODES; i++) {
        __atomic_fetch_sub(&tree.used[0], mine[i], __ATOMIC_SEQ_CST);
        ledger_uncharge(&tree.nodes[i], mine[i]);
    }
    __atomic_fetch_sub(&running, 1, __ATOMIC_ACQ_REL);
}

static void workers_run(void (*entry)(void *argument)) {
    running = options.cpus;
    for (u64 i = 0; i < options.cpus; i++)
        CHECK(thread_kernel_create(entry, (void *)((options.seed + i) * 2654435761u + 1)) == OK);
    while (__atomic_load_n(&running, __ATOMIC_ACQUIRE)) {
        sched_yield();
        sched_preempt_point();
    }
}

static void test_many(void) {
    tree_begin(300 + (i64)(options.seed % 2) * 300);
    CHECK(ledger_set_memory(&tree.nodes[3], 90, 30) == OK);
    workers_run(worker);
    tree_check();
    tree_end();
}

// What is set aside stays drawn, whoever gives back or recalls at once.
static void reserver(void *argument) {
    (void)argument;
    struct ledger *ledger = &tree.nodes[3];
    for (u64 i = 0; i < options.steps / 128; i++) {
        i64 mine = 0;
        while (mine < RESERVED && ledger_charge(ledger, 1) == OK)
            mine++;
        for (; mine > 0; mine--) {
            ledger_uncharge(ledger, 1);
            CHECK(__atomic_load_n(&ledger->drawn_pages, __ATOMIC_RELAXED) >= RESERVED);
        }
        ledger_recall(&tree.nodes[0]);
        sched_preempt_point();
    }
    __atomic_fetch_sub(&running, 1, __ATOMIC_ACQ_REL);
}

static void test_reservation(void) {
    tree_begin(options.cpus * RESERVED);
    CHECK(ledger_set_memory(&tree.nodes[3], INT64_MAX, RESERVED) == OK);
    workers_run(reserver);
    tree_check();
    tree_end();
}

// Reservations that are refused, beside charges that fit: those must not miss what is asked for.
static void asker(void *argument) {
    bool is_reserving = __atomic_fetch_add(&turns, 1, __ATOMIC_ACQ_REL) == 0;
    (void)argument;
    for (u64 i = 0; i < options.steps / 8; i++) {
        if (is_reserving) {
            CHECK(ledger_set_memory(&tree.nodes[5], INT64_MAX, 2 * tree.total) != OK);
        } else {
            CHECK(ledger_charge(&tree.nodes[3], 1) == OK);
            ledger_uncharge(&tree.nodes[3], 1);
        }
        sched_preempt_point();
    }
    __atomic_fetch_sub(&running, 1, __ATOMIC_ACQ_REL);
}

static void test_asking(void) {
    tree_begin(RESERVED);
    CHECK(ledger_set_memory(&tree.nodes[3], INT64_MAX, RESERVED) == OK);
    workers_run(asker);
    tree_check();
    tree_end();
}

// What the machine can't pay is refused in one way up, not in two at each level.
static void test_refusal(struct ledger *chain) {
    struct ledger *last = &chain[LEDGER_DEPTH_MAX - 1];
    CHECK(ledger_charge(last, 900) == OK);
    for (i64 pages = 101; pages < 1101; pages++)
        CHECK(ledger_charge(last, pages) != OK);
    CHECK(ledger_charge(last, 100) == OK);
    CHECK(ledger_charge(last, 1) != OK);
    ledger_uncharge(last, 1000);
    ledger_recall(&chain[0]);
    CHECK(chain[0].idle_pages == 1000);
}

// As deep as namespaces go: a recall from the top holds a lock for each level.
static void test_depth(void) {
    static struct ledger chain[LEDGER_DEPTH_MAX];
    for (u32 i = 0; i < LEDGER_DEPTH_MAX; i++)
        ledger_init(&chain[i], i ? &chain[i - 1] : nullptr);
    ledger_root_add(&chain[0], 1000);
    CHECK(ledger_charge(&chain[LEDGER_DEPTH_MAX - 1], 1) == OK);
    ledger_recall(&chain[0]);
    CHECK(chain[0].idle_pages == 999);
    ledger_uncharge(&chain[LEDGER_DEPTH_MAX - 1], 1);
    ledger_recall(&chain[0]);
    CHECK(chain[0].idle_pages == 1000);
    test_refusal(chain);
    for (u32 i = LEDGER_DEPTH_MAX; i-- > 1;)
        ledger_destroy(&chain[i]);
}

static int run(void *argument) {
    (void)argument;
    if (options.cpus == 1) {
        test_depth();
        test_pieces();
        test_model();
    } else {
        test_many();
        test_reservation();
        test_asking();
    }
    kprintf("PASS\n");
    exit(0);
}

int main(int count, char **arguments) {
    CHECK(count == 4);
    options.seed = strtoul(arguments[1], nullptr, 0);
    options.steps = strtoul(arguments[2], nullptr, 0);
    options.cpus = (u32)strtoul(arguments[3], nullptr, 0);
    host_run(options.cpus, run, nullptr);
}
