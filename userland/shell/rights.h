// Rights in words: `open,list`, `all`, `none`.
#pragma once

#include "lib/types.h"

enum { RIGHTS_TEXT_MAX = 256 };

// False: a word is no right.
bool rights_read(const char *text, u32 *rights);
const char *rights_format(char text[RIGHTS_TEXT_MAX], u32 rights);
