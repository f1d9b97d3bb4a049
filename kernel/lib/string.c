// Memory and string functions: short code, eight bytes at a time where it counts. `rep movs` and
// `rep stos` are as quick as anything without vector registers, once past a few words.
#include "lib/string.h"

enum { REP_THRESHOLD = 32 }; // bytes; below, starting the microcode costs more than it saves

void *memcpy(void *restrict to, const void *restrict from, usize size) {
    u8 *t = to;
    const u8 *f = from;
    usize words = size / 8;
    if (size > REP_THRESHOLD) {
        asm volatile("rep movsq" : "+D"(t), "+S"(f), "+c"(words)::"memory");
    } else {
        for (; words; words--, t += 8, f += 8)
            __builtin_memcpy_inline(t, f, 8);
    }
    for (usize rest = size % 8; rest; rest--)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, usize size) {
    if ((u64)to - (u64)from >= size) return memcpy(to, from, size);
    u8 *t = to;
    const u8 *f = from;
    while (size--)
        t[size] = f[size];
    return to;
}

void *memset(void *to, int byte, usize size) {
    u8 *t = to;
    u64 word = (u8)byte * 0x0101010101010101ul;
    usize words = size / 8;
    if (size > REP_THRESHOLD) {
        asm volatile("rep stosq" : "+D"(t), "+c"(words) : "a"(word) : "memory");
    } else {
        for (; words; words--, t += 8)
            __builtin_memcpy_inline(t, &word, 8);
    }
    for (usize rest = size % 8; rest; rest--)
        *t++ = (u8)byte;
    return to;
}

int memcmp(const void *a, const void *b, usize size) {
    const u8 *x = a;
    const u8 *y = b;
    for (; size; size--, x++, y++) {
        if (*x != *y) return *x - *y;
    }
    return 0;
}

usize strlen(const char *text) {
    usize length = 0;
    while (text[length])
        length++;
    return length;
}

void page_zero(void *page) {
    usize words = PAGE_SIZE / 8;
    asm volatile("rep stosq" : "+D"(page), "+c"(words) : "a"(0) : "memory");
}

void page_copy(void *restrict to, const void *restrict from) {
    usize words = PAGE_SIZE / 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
}
