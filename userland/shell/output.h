// What the shell and its containers say: on the console, or framed on the command channel.
// Rules:
// - output_* and error_* are kept in order; small pieces are gathered, output_flush sends them;
// - formatted text has no control characters but tab, return and newline: others become `?`, those of
//   eight bits, too;
// - on a terminal a newline becomes carriage return and newline.
#pragma once

#include "lib/types.h"

enum output_stream : char {
    STREAM_OUTPUT = 'O',
    STREAM_ERROR = 'E',
    STREAM_TERMINAL = 'T', // as it is, also on the console; on the command channel it is output
};

void output_write(enum output_stream stream, const char *bytes, usize size_bytes);
void output_flush(void);

// What somebody else has chosen, a name: other than visible ASCII is `?` from then on.
void text_disarm(char *text);
// The same with a line of words: blanks and UTF-8 stay, what ends a line or is an order to a terminal
// does not.
void line_disarm(char *text);

// Formatted; a text is cut at OUTPUT_TEXT_MAX bytes.
enum { OUTPUT_TEXT_MAX = 1024 };
void output_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
// An error line: `cloister: ` before it, and a newline behind.
void error_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
