// The table of commands, and those that need no file of their own.
#include "cloister.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/string.h"
#include "shell/output.h"
#include "shell/shell.h"

const struct verb verbs[] = {
    {"run", "[OPTION...] IMAGE [COMMAND [ARG...]]", "start a container and wait for its end",
     "  --rm            forget the container, and its files, when it has ended\n"
     "  --nest          it may have containers of its own: `run -it --nest cloister`\n"
     "  -d              do not wait; `logs` has its output\n"
     "  -i              what is typed is its input (else it has none)\n"
     "  -t              with -i: this terminal is its own; Ctrl-P Ctrl-Q leaves it running\n"
     "  --name NAME     its name; else one is made\n"
     "  -e KEY=VALUE    set a variable of its environment\n"
     "  -w PATH         its working directory\n"
     "  -u USER[:GROUP] who it runs as, by name or number; and opens names as (`help acl`)\n"
     "  -m SIZE         memory that it may use: 16m, 1g\n"
     "  --memory-reservation SIZE  memory set aside for it alone\n"
     "  -c N, --cpu-shares N       its weight beside others; 1024 by itself\n"
     "  --cpus N             of the CPUs' time at most: 0.25, 1.5; 0: no cap\n"
     "  --device-read-bps, --device-write-bps [/dev/NAME:]SIZE   bytes of the disk a second\n"
     "  --device-read-iops, --device-write-iops [/dev/NAME:]N    requests a second; 0: no limit\n"
     "  --pids-limit N       processes that it may have\n"
     "  --handles-limit N    handles, to kernel objects\n"
     "  --names-limit N      names in its namespace\n"
     "  --timers-limit N     kernel timers\n"
     "  --channel-bytes SIZE bytes of messages that wait in its channels\n"
     "  --log-bytes SIZE     bytes a second in the kernel's log\n"
     "  --ulimit nofile=SOFT[:HARD]  files that each process may have open\n"
     "  --trace         a line for each system call on its standard error\n"
     "Ctrl-C kills it. The status is the program's own, 128 + N for signal N, 127 when the\n"
     "program is not found, 126 when it can't be run, 125 for our own errors.\n",
     run_verb},
    {"exec", "[OPTION...] NAME COMMAND [ARG...]", "run a program in a running container",
     "  -d -i -t -e -w -u  as with `run`\n"
     "Ctrl-C kills it. It has the container's environment, and -e's above.\n",
     exec_verb},
    {"attach", "NAME", "take the streams of a running container",
     "Ctrl-P Ctrl-Q leaves a terminal again; its output is in the log in any case.\n", attach_verb},
    {"logs", "[-f] [-t] [--tail N] NAME", "what a container has written",
     "  -f        and what it writes, until it ends or Ctrl-C\n"
     "  -t        with the time of each line\n"
     "  --tail N  the last N lines\n"
     "The log keeps about the last 60 KiB.\n",
     logs_verb},
    {"ps", "[-a] [--all-levels]", "list containers",
     "  -a            those that have ended, too\n"
     "  --all-levels  and those in them, by their paths, with pages, objects and threads\n",
     ps_verb},
    {"tree", "", "list the namespaces of containers, and what is in them",
     "Pages and objects of each are its own, threads with those below.\n", tree_verb},
    {"rm", "[-f] NAME...", "remove containers", "  -f  kill them first if they run\n", rm_verb},
    {"kill", "[-f] [-s SIGNAL] NAME...", "send a signal to the first process",
     "  -f         also what is left of one that has ended: its files\n"
     "  -s SIGNAL  by name or number; else KILL\n"
     "A path NAME/NAME is one in a container's container; it takes KILL only.\n",
     kill_verb},
    {"stop", "[-t SECONDS] NAME...", "ask containers to end, then kill them",
     "  -t SECONDS  between TERM and KILL; else 10\n", stop_verb},
    {"start", "[-a] [-i] NAME...", "run the commands of containers that have ended again",
     "  -a  with its output here, until it ends\n"
     "  -i  the same, and what is typed is its input\n"
     "Each goes on with the files that it had.\n",
     start_verb},
    {"restart", "[-t SECONDS] NAME...", "stop containers and start them again", "", restart_verb},
    {"update", "[OPTION...] NAME...", "change the limits of containers that are there",
     "  -m SIZE                    memory that it may use\n"
     "  --memory-reservation SIZE  memory set aside for it\n"
     "  -c, --cpu-shares N         its weight beside others; 1024 by itself\n"
     "  --pids-limit, --handles-limit, --names-limit, --timers-limit N\n"
     "  --channel-bytes, --log-bytes SIZE, --cpus N  as with `run`\n"
     "  --device-read-bps, --device-write-bps SIZE, --device-read-iops, --device-write-iops N\n"
     "They hold for as long as it is there, over `stop` and `start` too.\n"
     "A path NAME/NAME is one in a container's container.\n",
     update_verb},
    {"names", "[NAME]", "list the names in a container's namespace",
     "With type, number, the rights that an open gives at most, and the access list. A path\n"
     "NAME/NAME is a container's container; without a name, those of the containers.\n",
     names_verb},
    {"acl", "NAME:OBJECT [USER=RIGHT,RIGHT...]...", "show or change who may open a name",
     "USER is a number or `everyone`. USER=none lists the user, who gets nothing; USER= takes\n"
     "the user off the list. Rights are words: open,read,write; `all` is all of them.\n",
     acl_verb},
    {"bind", "[-r RIGHTS] [-u USER] SOURCE NAME:OBJECT [USER=RIGHTS]...",
     "give an object a name in a container's namespace",
     "SOURCE is NAME:OBJECT, by its name, NAME:#N, by its number, or NAME, the namespace itself.\n"
     "  -r RIGHTS  what an open gives at most; else all that the source has\n"
     "  -u USER    of a namespace: the user that opens names through it; else 0\n"
     "Without an access list only the owner opens it.\n",
     bind_verb},
    {"unbind", "NAME:OBJECT", "take a name away", "What was opened by it stays.\n", unbind_verb},
    {"rename", "NAME NEW", "call a container something else", "", rename_verb},
    {"cp", "NAME:PATH NAME:PATH", "copy files from container to container",
     "Into a directory that is there, else as that name. Neither container has to run.\n", cp_verb},
    {"top", "NAME", "list the processes of a container", "", top_verb},
    {"stats", "[--no-stream] [NAME...]", "what running containers use, over a second",
     "Again and again until Ctrl-C, but for --no-stream.\n", stats_verb},
    {"wait", "NAME...", "wait for containers to end; say their statuses", "", wait_verb},
    {"inspect", "NAME", "describe a container, with its ledger, as JSON", "", inspect_verb},
    {"images", "", "list images", "", images_verb},
    {"free", "[--limits]", "memory, objects, handles and threads, exactly",
     "The machine, then each namespace: pages in its own use and bytes, objects, handles, threads.\n"
     "Credit that is drawn but not used is recalled first.\n"
     "  --limits  what each namespace uses of what it may have\n",
     free_verb},
    {"version", "", "what system this is", "", version_verb},
    {"help", "[COMMAND]", "list commands, or explain one", "", help_verb},
    {"poweroff", "", "switch the machine off", "In a container: end it.\n", poweroff_verb},
};
const u32 verbs_count = ARRAY_SIZE(verbs);

static const struct verb *verb_find(const char *name) {
    for (u32 i = 0; i < verbs_count; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

i32 usage_error(const char *name, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    format_text_args(text, sizeof(text), format, args);
    va_end(args);
    const struct verb *verb = verb_find(name);
    error_print("%s: %s", name, text);
    error_print("usage: %s %s", name, verb ? verb->usage : "");
    return STATUS_OURS;
}

i32 command_run(const struct words *words) {
    const char *name = words_next(words, NULL);
    const struct verb *verb = verb_find(name);
    if (!verb) {
        error_print("there is no command `%.64s` (`help` lists those that there are)", name);
        return STATUS_NOT_FOUND;
    }
    return verb->run(words);
}

i32 line_run(const char *line, usize size_bytes) {
    static char cut[LINE_CUT_MAX];
    u32 used, place = 0;
    i32 status = STATUS_OK;
    struct words words;
    const char *problem = line_cut(line, size_bytes, cut, &used);
    if (problem) {
        error_print("%s", problem);
        return STATUS_OURS;
    }
    while (!shell.is_over && line_command(cut, used, &place, &words)) {
        status = command_run(&words);
    }
    return status;
}

i32 version_verb(const struct words *words) {
    (void)words;
    struct cl_system_info info = {};
    struct cl_ns_info root = {};
    status_t status = shell.system ? system_info(shell.system, &info)
                                   : ns_info(startup_handle(shell.startup, "ledger:/"), &root);
    if (status != OK) {
        error_print("the system says nothing of itself: %s", cl_error_name(status));
        return STATUS_FAILED;
    }
    output_print("Cloister 0.1\n");
    if (shell.system) output_print("build   %.40s\nCPUs    %u\n", info.build_id, info.cpus);
    output_print("memory  %lu bytes\n",
                 (shell.system ? info.memory_pages : root.memory_limit_pages) * CL_PAGE_SIZE);
    return STATUS_OK;
}

i32 help_verb(const struct words *words) {
    const char *name = words_next(words, words_next(words, NULL));
    if (!name) {
        for (u32 i = 0; i < verbs_count; i++) {
            output_print("%-10s %s\n", verbs[i].name, verbs[i].summary);
        }
        output_print("`help COMMAND` says more. Commands are joined with `;`.\n");
        return STATUS_OK;
    }
    const struct verb *verb = verb_find(name);
    if (!verb) {
        error_print("there is no command `%.64s` (`help` lists those that there are)", name);
        return STATUS_FAILED;
    }
    output_print("%s %s\n%s\n", verb->name, verb->usage, verb->summary);
    output_write(STREAM_OUTPUT, verb->text, strlen(verb->text)); // longer than what print takes
    return STATUS_OK;
}

i32 poweroff_verb(const struct words *words) {
    (void)words;
    shell.is_over = true;
    return STATUS_OK;
}
