// Memory and string functions of the C library, for programs without one.
#pragma once

#include "lib/types.h"

void *memcpy(void *restrict target, const void *restrict source, usize size);
void *memmove(void *target, const void *source, usize size);
void *memset(void *target, int value, usize size);
int memcmp(const void *left, const void *right, usize size);
void *memchr(const void *memory, int value, usize size);
usize strlen(const char *text);
usize strnlen(const char *text, usize size);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, usize size);
char *strchr(const char *text, int value);
char *strrchr(const char *text, int value);
