// Memory and string functions. Copies go by words of 8 bytes with `rep`, which counts one
// instruction per word and touches no vector register; what is left goes by bytes.
#include "lib/string.h"

void *memcpy(void *restrict target, const void *restrict source, usize size) {
    void *to = target;
    const void *from = source;
    usize words = size >> 3;
    usize bytes = size & 7;
    asm volatile("rep movsq\n\tmov %3, %2\n\trep movsb"
                 : "+D"(to), "+S"(from), "+c"(words)
                 : "r"(bytes)
                 : "memory");
    return target;
}

void *memmove(void *target, const void *source, usize size) {
    u8 *to = target;
    const u8 *from = source;
    if (to <= from || to >= from + size) {
        return memcpy(target, source, size);
    }
    while (size >= 8) {
        size -= 8;
        u64 word;
        __builtin_memcpy(&word, from + size, 8);
        __builtin_memcpy(to + size, &word, 8);
    }
    while (size > 0) {
        size--;
        to[size] = from[size];
    }
    return target;
}

void *memset(void *target, int value, usize size) {
    void *to = target;
    u64 pattern = (u8)value * 0x0101010101010101UL;
    usize words = size >> 3;
    usize bytes = size & 7;
    asm volatile("rep stosq\n\tmov %3, %1\n\trep stosb"
                 : "+D"(to), "+c"(words)
                 : "a"(pattern), "r"(bytes)
                 : "memory");
    return target;
}

int memcmp(const void *left, const void *right, usize size) {
    const u8 *a = left;
    const u8 *b = right;
    for (usize i = 0; i < size; i++) {
        if (a[i] != b[i]) {
            return a[i] - b[i];
        }
    }
    return 0;
}

void *memchr(const void *memory, int value, usize size) {
    const u8 *bytes = memory;
    for (usize i = 0; i < size; i++) {
        if (bytes[i] == (u8)value) {
            return (void *)(bytes + i);
        }
    }
    return NULL;
}

// A word at a time: an aligned word never crosses into another page. A byte of (word - ones) & ~word
// has its top bit set where the word's byte is 0 (or a lower one was). What lies before the text in
// its first word is made non-zero.
usize strlen(const char *text) {
    const u64 ones = 0x0101010101010101;
    const u64 *at = (const u64 *)((u64)text & ~7UL);
    u64 word = *at | ((1UL << ((u64)text & 7) * 8) - 1);
    u64 zeros;
    while (!(zeros = (word - ones) & ~word & (ones << 7))) {
        word = *++at;
    }
    return (usize)((const char *)at - text) + (usize)__builtin_ctzl(zeros) / 8;
}

usize strnlen(const char *text, usize size) {
    usize length = 0;
    while (length < size && text[length]) {
        length++;
    }
    return length;
}

int strcmp(const char *left, const char *right) {
    while (*left && *left == *right) {
        left++;
        right++;
    }
    return (u8)*left - (u8)*right;
}

int strncmp(const char *left, const char *right, usize size) {
    for (; size > 0; size--, left++, right++) {
        if (*left != *right || !*left) {
            return (u8)*left - (u8)*right;
        }
    }
    return 0;
}

char *strchr(const char *text, int value) {
    for (;; text++) {
        if (*text == (char)value) {
            return (char *)text;
        }
        if (!*text) {
            return NULL;
        }
    }
}

char *strrchr(const char *text, int value) {
    const char *found = NULL;
    for (;; text++) {
        if (*text == (char)value) {
            found = text;
        }
        if (!*text) {
            return (char *)found;
        }
    }
}
