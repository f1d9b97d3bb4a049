// `tree` and `ps --all-levels`: what is in the containers of containers.
#include "cloister.h"

#include "lib/format.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/output.h"
#include "shell/tree.h"

enum { LEVELS_MAX = 32, PATH_MAX = LEVELS_MAX * (MANAGER_NAME_MAX + 1) };
static const char containers_name[] = "containers";

// The names on the way to the current one.
static char names[LEVELS_MAX][MANAGER_NAME_MAX + 1];
static char told[MANAGER_NAME_MAX + 1]; // of which container it was said that it is too much

typedef void node_show(const struct manager_node *node);

// Whoever made it chose the name.
static void name_take(const struct manager_node *node) {
    char *name = names[node->depth];
    memcpy(name, node->name, sizeof(names[0]));
    name[MANAGER_NAME_MAX] = 0;
    text_disarm(name);
}

static void cut_tell(void) {
    if (strcmp(told, names[0]) == 0) return;
    memcpy(told, names[0], sizeof(told));
    error_print("not all that is in container %s is shown: it is too much", told);
}

static i32 nodes_show(node_show *show) {
    i32 status;
    u64 position = 0;
    told[0] = 0;
    do {
        const struct manager_reply *reply;
        request_begin(MANAGER_TREE, 0, position);
        if (!request_send(&reply, STATUS_FAILED, &status)) return status;
        position = reply->next_position;
        const struct manager_node *nodes = reply_data(reply);
        for (u32 i = 0; i < reply->count; i++) {
            if (nodes[i].depth >= LEVELS_MAX) continue;
            if (nodes[i].objects == MANAGER_NODE_CUT) {
                cut_tell();
                continue;
            }
            name_take(&nodes[i]);
            show(&nodes[i]);
        }
    } while (position != 0);
    return STATUS_OK;
}

static void numbers_print(const char *name, const struct manager_node *node) {
    output_print("%-40s %10lu %9lu %9u\n", name, node->pages, node->objects, node->threads);
}

static void tree_show(const struct manager_node *node) {
    char text[2 * LEVELS_MAX + MANAGER_NAME_MAX + 1];
    usize size = 0;
    for (u32 i = 0; i < node->depth; i++)
        size += format_text(text + size, sizeof(text) - size, "  ");
    format_text(text + size, sizeof(text) - size, "%s", names[node->depth]);
    numbers_print(text, node);
}

// A container is what is directly in a `containers`, or on top.
static void container_show(const struct manager_node *node) {
    char path[PATH_MAX];
    usize size = format_text(path, sizeof(path), "%s", names[0]);
    for (u32 i = 1; i <= node->depth; i++) {
        bool is_folder = i % 2 == 1;
        if (is_folder && strcmp(names[i], containers_name) != 0) return;
        if (is_folder && i == node->depth) return;
        if (!is_folder) size += format_text(path + size, sizeof(path) - size, "/%s", names[i]);
    }
    numbers_print(path, node);
}

static i32 table_print(node_show *show) {
    output_print("%-40s %10s %9s %9s\n", "NAME", "PAGES", "OBJECTS", "THREADS");
    return nodes_show(show);
}

i32 levels_print(void) { return table_print(container_show); }

i32 tree_verb(const struct words *words) {
    const char *word = words_next(words, words_next(words, NULL));
    if (word) return usage_error("tree", "`%.64s` is not known", word);
    return table_print(tree_show);
}
