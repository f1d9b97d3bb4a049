#include "lib/string.h"
#include "shell/options.h"

// Where the reading of words is, and what the current option is.
struct reading {
    const struct words *words;
    const char *word;
    const char *value;   // of an option that takes one
    const char *problem; // what is wrong, about the word
};

enum option : u32 {
    OPTION_NONE, // the word is no option
    OPTION_REMOVE,
    OPTION_DETACH,
    OPTION_INTERACTIVE,
    OPTION_TERMINAL,
    OPTION_NAME,
    OPTION_ENVIRONMENT,
    OPTION_LETTERS, // several options of one letter
    OPTION_BAD,
};

static const struct {
    const char *text;
    enum option option;
    bool has_value;
} known[] = {
    {"--rm", OPTION_REMOVE, false},
    {"-d", OPTION_DETACH, false},
    {"--detach", OPTION_DETACH, false},
    {"-i", OPTION_INTERACTIVE, false},
    {"--interactive", OPTION_INTERACTIVE, false},
    {"-t", OPTION_TERMINAL, false},
    {"--tty", OPTION_TERMINAL, false},
    {"--name", OPTION_NAME, true},
    {"-e", OPTION_ENVIRONMENT, true},
    {"--env", OPTION_ENVIRONMENT, true},
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
    for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
        if (option_matches(i, word)) {
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
    case OPTION_DETACH: options->is_detached = true; return true;
    case OPTION_INTERACTIVE: options->is_interactive = true; return true;
    case OPTION_TERMINAL: options->has_terminal = true; return true;
    default: return false;
    }
}

// `-di`: each letter an option without a value.
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

static bool option_apply(struct run_options *options, struct reading *reading, enum option option) {
    const char *equals;
    switch (option) {
    case OPTION_NAME: options->name = reading->value; return true;
    case OPTION_ENVIRONMENT:
        equals = strchr(reading->value, '=');
        if (!equals || equals == reading->value) {
            reading->problem = "is no KEY=VALUE";
            return false;
        }
        return true;
    case OPTION_LETTERS:
        reading->problem = "is not known";
        return letters_set(options, reading->word);
    case OPTION_BAD: return false;
    default: return flag_set(options, option);
    }
}

bool run_options_read(const struct words *words, struct run_options *options) {
    *options = (struct run_options){};
    struct reading reading = {.words = words, .word = words_next(words, NULL)};
    const char *shown = reading.word;
    while ((reading.word = words_next(words, reading.word))) {
        shown = reading.word;
        enum option option = option_read(&reading);
        if (option == OPTION_NONE) {
            break;
        }
        if (!option_apply(options, &reading, option)) {
            usage_error("run", "option `%.64s` %s", shown, reading.problem);
            return false;
        }
    }
    options->image = reading.word;
    if (!options->image) {
        usage_error("run", "which image?");
        return false;
    }
    if (options->is_detached && options->is_interactive) {
        usage_error("run", "a detached container has no input: -d and -i don't go together");
        return false;
    }
    if (options->has_terminal && options->is_interactive && shell.command) {
        usage_error("run",
                    "what is typed comes from no terminal here: -i and -t don't go together");
        return false;
    }
    options->command = words_next(words, options->image);
    return true;
}

void run_options_environment(const struct words *words, struct records_writer *writer) {
    struct reading reading = {.words = words, .word = words_next(words, NULL)};
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
