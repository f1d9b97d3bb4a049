// Finding and opening the file of a program. A script's `#!` line names the file to run instead,
// with one optional argument; the script's path takes the place of argument 0.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/exec.h"
#include "linux/mount.h"
#include "linux/permission.h"
#include "linux/thread.h"
#include "linux/walk.h"

enum { SCRIPT_DEPTH_MAX = 6, SCRIPT_LINE_MAX = 256, SCRIPT_LINE_BYTES = SCRIPT_LINE_MAX + 1 };

static int program_file_check(struct thread *thread, struct path file) {
    return file.vnode->type != MODE_REGULAR || (path_mount_flags(file) & MOUNT_NO_EXEC)
               ? -EACCES
               : vnode_permission(thread->process->credentials, file.vnode, MAY_EXECUTE);
}

static int program_file_find(struct thread *thread, i32 directory, const char *path,
                             struct program *program) {
    struct walk walk;
    struct path file;
    int result = walk_start_text(&walk, thread, directory, path, WALK_FOLLOW);
    if (result == 0) {
        result = walk_resolve(&walk, &file);
    }
    walk_end(&walk);
    if (result != 0) {
        return result;
    }
    result = program_file_check(thread, file);
    if (result == 0) {
        result = program_set_file(program, file);
    }
    path_put(file);
    return result;
}

static char *skip_blanks(char *text) {
    while (*text == ' ' || *text == '\t') {
        text++;
    }
    return text;
}

// Splits "#! INTERPRETER [ARGUMENT]" in place. -ENOEXEC for a line without an interpreter.
static int script_line_parse(char *line, char **interpreter, char **argument) {
    char *end = strchr(line, '\n');
    bool is_cut = !end && strlen(line) == SCRIPT_LINE_MAX;
    if (end) {
        *end = 0;
    } else {
        line[SCRIPT_LINE_MAX - 1] = 0;
    }
    for (end = line + strlen(line); end > line && (end[-1] == ' ' || end[-1] == '\t');) {
        *--end = 0;
    }
    *interpreter = skip_blanks(line + 2);
    if (**interpreter == 0) {
        return -ENOEXEC;
    }
    char *after = *interpreter;
    while (*after && *after != ' ' && *after != '\t') {
        after++;
    }
    if (!*after && is_cut) {
        return -ENOEXEC; // it may go on
    }
    *argument = NULL;
    if (*after) {
        *after = 0;
        *argument = skip_blanks(after + 1);
    }
    return 0;
}

// New strings: the interpreter, its argument, the script's path, then the old ones but the first.
static int script_strings(struct program *program, const char *interpreter, const char *argument,
                          const char *path) {
    struct program old = *program;
    usize first = old.argc > 0 ? strlen(old.text) + 1 : 0;
    program->text = NULL;
    program->size = program->capacity = 0;
    int result = program_add(program, interpreter, strlen(interpreter));
    if (result == 0 && argument) {
        result = program_add(program, argument, strlen(argument));
    }
    if (result == 0) {
        result = program_add(program, path, strlen(path));
    }
    usize rest = old.size - first;
    if (result == 0) {
        result = program_reserve(program, rest);
    }
    if (result == 0) {
        program->argc = old.argc + 1 + (argument != NULL) + (old.argc == 0);
        program->arguments_size = program->size + (u32)(old.arguments_size - first);
        memcpy(program->text + program->size, old.text + first, rest);
        program->size += (u32)rest;
    }
    heap_free(old.text);
    return result;
}

static void program_set_name(struct program *program, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    usize size = min(strlen(name), sizeof(program->name) - 1);
    memcpy(program->name, name, size);
    program->name[size] = 0;
}

int exec_file_open(struct thread *thread, i32 directory, const char *path, struct program *program,
                   void *header, u64 *header_size) {
    char line[SCRIPT_LINE_BYTES];
    char previous[SCRIPT_LINE_BYTES];
    program_set_name(program, path);
    for (u32 depth = 0; depth < SCRIPT_DEPTH_MAX; depth++) {
        int result = program_file_find(thread, directory, path, program);
        if (result != 0) {
            return result;
        }
        struct vnode *file = program->file->vnode;
        i64 count = file->ops->read ? file->ops->read(file, header, ELF_HEADER_BYTES, 0) : -EACCES;
        if (count < 0) {
            return (int)count;
        }
        *header_size = (u64)count;
        if (count < 2 || memcmp(header, "#!", 2) != 0) {
            return 0;
        }
        usize size = min((usize)count, sizeof(line) - 1);
        char *interpreter;
        char *argument;
        memcpy(line, header, size);
        line[size] = 0;
        result = script_line_parse(line, &interpreter, &argument);
        if (result == 0) {
            result = script_strings(program, interpreter, argument, path);
        }
        if (result != 0) {
            return result;
        }
        memmove(previous, interpreter, strlen(interpreter) + 1);
        path = previous;
        directory = AT_FDCWD;
    }
    return -ELOOP;
}
