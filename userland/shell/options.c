#include "lib/format.h"
#include "lib/string.h"
#include "shell/options.h"

// Where the reading of words is, and what the current option is.
struct reading {
    const struct words *words;
    const char *word;
    const char *value;   // of an option that takes one
    const char *problem; // what is wrong, about the word
    enum run_verb verb;
    struct limits *limits;
};

enum option : u32 {
    OPTION_NONE, // the word is no option
    OPTION_REMOVE,
    OPTION_NEST,
    OPTION_DETACH,
    OPTION_INTERACTIVE,
    OPTION_TERMINAL,
    OPTION_NAME,
    OPTION_ENVIRONMENT,
    OPTION_DIRECTORY,
    OPTION_USER,
    OPTION_ULIMIT,
    OPTION_LIMIT, // it has been applied
    OPTION_TRACE,
    OPTION_LETTERS, // several options of one letter
    OPTION_BAD,
};

static const struct {
    const char *text;
    enum option option;
    bool has_value;
    u32 verbs;
} known[] = {
    {"--rm", OPTION_REMOVE, false, VERB_RUN},
    {"--nest", OPTION_NEST, false, VERB_RUN},
    {"-d", OPTION_DETACH, false, VERB_RUN | VERB_EXEC},
    {"--detach", OPTION_DETACH, false, VERB_RUN | VERB_EXEC},
    {"-i", OPTION_INTERACTIVE, false, VERB_RUN | VERB_EXEC},
    {"--interactive", OPTION_INTERACTIVE, false, VERB_RUN | VERB_EXEC},
    {"-t", OPTION_TERMINAL, false, VERB_RUN | VERB_EXEC},
    {"--tty", OPTION_TERMINAL, false, VERB_RUN | VERB_EXEC},
    {"--name", OPTION_NAME, true, VERB_RUN},
    {"-e", OPTION_ENVIRONMENT, true, VERB_RUN | VERB_EXEC},
    {"--env", OPTION_ENVIRONMENT, true, VERB_RUN | VERB_EXEC},
    {"-w", OPTION_DIRECTORY, true, VERB_RUN | VERB_EXEC},
    {"--workdir", OPTION_DIRECTORY, true, VERB_RUN | VERB_EXEC},
    {"-u", OPTION_USER, true, VERB_RUN | VERB_EXEC},
    {"--user", OPTION_USER, true, VERB_RUN | VERB_EXEC},
    {"--ulimit", OPTION_ULIMIT, true, VERB_RUN},
    {"--trace", OPTION_TRACE, false, VERB_RUN},
};

// The value behind `=` in the word, or the next word.
static enum option value_read(struct reading *reading, u32 index) {
    usize size = strlen(known[index].text);
    if (!known[index].has_value) {
        return known[index].option;
    }
    if (reading->word[size] == '=') {
        reading->value = reading->word + size + 1;
    } else {
        reading->value = words_next(reading->words, reading->word);
        reading->word = reading->value;
    }
    if (!reading->value) {
        reading->problem = "needs a value";
        return OPTION_BAD;
    }
    return known[index].option;
}

static bool option_matches(u32 index, const char *word) {
    usize size = strlen(known[index].text);
    bool is_whole = strcmp(word, known[index].text) == 0;
    bool has_equals = known[index].has_value && word[1] == '-' &&
                      strncmp(word, known[index].text, size) == 0 && word[size] == '=';
    return is_whole || has_equals;
}

// The option at reading->word; moves on to its value.
static enum option option_read(struct reading *reading) {
    const char *word = reading->word;
    if (word[0] != '-' || word[1] == 0) {
        return OPTION_NONE;
    }
    enum limit_found found =
        reading->verb == VERB_RUN
            ? limit_take(reading->words, &reading->word, reading->limits, &reading->problem)
            : LIMIT_NONE;
    if (found != LIMIT_NONE) return found == LIMIT_TAKEN ? OPTION_LIMIT : OPTION_BAD;
    for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
        if ((known[i].verbs & reading->verb) && option_matches(i, word)) {
            return value_read(reading, i);
        }
    }
    if (word[1] != '-' && strlen(word) > 2) {
        return OPTION_LETTERS;
    }
    reading->problem = "is not known";
    return OPTION_BAD;
}

static bool flag_set(struct run_options *options, enum option option) {
    switch (option) {
    case OPTION_REMOVE: options->flags |= MANAGER_FLAG_REMOVE; return true;
    case OPTION_NEST: options->flags |= MANAGER_FLAG_NEST; return true;
    case OPTION_DETACH: options->is_detached = true; return true;
    case OPTION_INTERACTIVE: options->is_interactive = true; return true;
    case OPTION_TERMINAL: options->has_terminal = true; return true;
    case OPTION_TRACE: options->has_trace = true; return true;
    default: return false;
    }
}

// `-dit`: each letter an option without a value.
static bool letters_set(struct run_options *options, const char *word) {
    for (const char *letter = word + 1; *letter; letter++) {
        bool is_fine = (*letter == 'd' && flag_set(options, OPTION_DETACH)) ||
                       (*letter == 'i' && flag_set(options, OPTION_INTERACTIVE)) ||
                       (*letter == 't' && flag_set(options, OPTION_TERMINAL));
        if (!is_fine) {
            return false;
        }
    }
    return true;
}

static bool value_apply(struct run_options *options, struct reading *reading, enum option option) {
    const char *equals;
    switch (option) {
    case OPTION_NAME: options->name = reading->value; return true;
    case OPTION_USER: options->user = reading->value; return true;
    case OPTION_DIRECTORY:
        reading->problem = "is no absolute path";
        options->cwd = reading->value;
        return reading->value[0] == '/';
    case OPTION_ULIMIT:
        reading->problem = "is not nofile=SOFT or nofile=SOFT:HARD";
        options->ulimit = reading->value;
        return ulimit_is_valid(reading->value);
    default:
        reading->problem = "is no KEY=VALUE";
        equals = strchr(reading->value, '=');
        return equals && equals != reading->value;
    }
}

static bool option_apply(struct run_options *options, struct reading *reading, enum option option) {
    switch (option) {
    case OPTION_LETTERS:
        reading->problem = "is not known";
        return letters_set(options, reading->word);
    case OPTION_BAD: return false;
    case OPTION_LIMIT: return true;
    default: return flag_set(options, option) || value_apply(options, reading, option);
    }
}

bool run_options_read(const struct words *words, enum run_verb verb, struct run_options *options) {
    const char *name = words_next(words, NULL);
    *options = (struct run_options){.verb = verb};
    struct reading reading = {
        .words = words, .word = name, .verb = verb, .limits = &options->limits};
    const char *shown = reading.word;
    while ((reading.word = words_next(words, reading.word))) {
        shown = reading.word;
        enum option option = option_read(&reading);
        if (option == OPTION_NONE) {
            break;
        }
        if (!option_apply(options, &reading, option)) {
            usage_error(name, "option `%.64s` %s", shown, reading.problem);
            return false;
        }
    }
    options->target = reading.word;
    if (!options->target) {
        usage_error(name, verb == VERB_RUN ? "which image?" : "which container?");
        return false;
    }
    bool is_foreign = options->has_terminal && options->is_interactive && !options->is_detached;
    if (is_foreign && !(shell.has_input && shell.console.is_terminal)) {
        usage_error(name, "what is typed comes from no terminal here: -i and -t don't go together");
        return false;
    }
    options->command = words_next(words, options->target);
    if (verb == VERB_EXEC && !options->command) {
        usage_error(name, "which program?");
        return false;
    }
    return true;
}

void run_options_write(const struct run_options *options, const struct words *words,
                       struct records_writer *writer) {
    struct limits again = {};
    struct reading reading = {
        .words = words, .word = words_next(words, NULL), .verb = options->verb, .limits = &again};
    if (options->has_trace) records_add_pair(writer, 'o', "trace", "1");
    if (options->cwd) records_add_pair(writer, 'o', "cwd", options->cwd);
    if (options->user) records_add_pair(writer, 'o', "user", options->user);
    // Without a console nothing comes but from a later `attach`.
    if (options->is_interactive && (options->is_detached || shell.has_input))
        records_add_pair(writer, 'o', "stdin", "1");
    if (options->ulimit) records_add(writer, 'o', options->ulimit);
    limits_write(&options->limits, writer);
    while ((reading.word = words_next(words, reading.word))) {
        enum option option = option_read(&reading);
        if (option == OPTION_NONE || option == OPTION_BAD) {
            return;
        }
        if (option == OPTION_ENVIRONMENT) {
            records_add(writer, 'e', reading.value);
        }
    }
}

bool option_flag(const struct words *words, const char **word, const char *short_text,
                 const char *long_text) {
    if (!*word || (strcmp(*word, short_text) != 0 && strcmp(*word, long_text) != 0)) return false;
    *word = words_next(words, *word);
    return true;
}

bool option_take(const struct words *words, const char **word, const char *short_text,
                 const char *long_text, const char **value) {
    usize size = strlen(long_text);
    if (*word && strncmp(*word, long_text, size) == 0 && (*word)[size] == '=') {
        *value = *word + size + 1;
        *word = words_next(words, *word);
        return true;
    }
    if (!option_flag(words, word, short_text, long_text)) return false;
    *value = *word;
    if (*word) *word = words_next(words, *word);
    return true;
}

bool number_read(const char *text, u64 *number) {
    enum { DIGITS_MAX = 18 };
    usize size = strlen(text);
    *number = 0;
    for (usize i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        *number = *number * 10 + (u64)(text[i] - '0');
    }
    return size > 0 && size <= DIGITS_MAX;
}

bool size_read(const char *text, u64 *bytes) {
    static const char units[] = "bkmg";
    char digits[24] = {};
    usize size = strlen(text);
    // `kb` and `kib` are `k`.
    if (size > 2 && (text[size - 1] | 0x20) == 'b' && strchr("kmgi", text[size - 2] | 0x20)) size--;
    if (size > 2 && (text[size - 1] | 0x20) == 'i' && strchr("kmg", text[size - 2] | 0x20)) size--;
    const char *unit = size > 0 ? strchr(units, text[size - 1] | 0x20) : NULL;
    if (!unit || !*unit) return number_read(text, bytes);
    if (size > sizeof(digits)) return false;
    memcpy(digits, text, size - 1);
    u32 shift = (u32)(unit - units) * 10;
    if (!number_read(digits, bytes) || *bytes > ~0ull >> shift) return false;
    *bytes <<= shift;
    return true;
}

u32 signal_read(const char *text) {
    static const char *const names[] = {
        "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1", "SEGV",
        "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN", "TTOU",
        "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
    };
    enum { SIGNAL_LAST = 64 };
    u64 number;
    if (number_read(text, &number)) return number <= SIGNAL_LAST ? (u32)number : 0;
    if (strncmp(text, "SIG", 3) == 0) text += 3;
    for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(text, names[i]) == 0) return i + 1;
    }
    return 0;
}
