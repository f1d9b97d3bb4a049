// Reading and writing records; the format is in records.h.
#include "lib/records.h"
#include "lib/string.h"

static u32 span_of(char kind) { return (u8)kind % RECORDS_SPANS; }

bool records_open(struct records *records, const char *bytes, u32 size_bytes,
                  const handle_t *handles, u32 handles_count) {
    if (handles_count > RECORDS_HANDLES_MAX || (size_bytes > 0 && bytes[size_bytes - 1] != 0)) {
        return false;
    }
    u32 named_count = 0;
    for (u32 i = 0; i < RECORDS_SPANS; i++) {
        records->spans[i] = (struct records_span){};
    }
    for (u32 at = 0; at < size_bytes;) {
        if (bytes[at] == 0) {
            return false;
        }
        struct records_span *span = &records->spans[span_of(bytes[at])];
        named_count += bytes[at] == 'h';
        if (span->end == 0) span->first = at;
        at += (u32)strlen(bytes + at) + 1;
        span->end = at;
    }
    if (named_count != handles_count) {
        return false;
    }
    records->bytes = bytes;
    records->size_bytes = size_bytes;
    records->handles_count = handles_count;
    for (u32 i = 0; i < handles_count; i++) {
        records->handles[i] = handles[i];
    }
    return true;
}

const char *records_next(const struct records *records, char kind, const char *previous) {
    const struct records_span *span = &records->spans[span_of(kind)];
    const char *end = records->bytes + span->end;
    const char *at = previous ? previous + strlen(previous) + 1 : records->bytes + span->first;
    while (at < end) {
        if (*at == kind) {
            return at + 1;
        }
        at += strlen(at) + 1;
    }
    return NULL;
}

const char *records_value(const struct records *records, char kind, const char *key) {
    usize size = strlen(key);
    const char *text = NULL;
    while ((text = records_next(records, kind, text))) {
        if (strncmp(text, key, size) == 0 && text[size] == '=') {
            return text + size + 1;
        }
    }
    return NULL;
}

bool records_has_key(const struct records *records, char kind, const char *pair, usize pair_size) {
    const char *equals = memchr(pair, '=', pair_size);
    usize key_size = equals ? (usize)(equals - pair) + 1 : pair_size;
    const char *text = NULL;
    while ((text = records_next(records, kind, text))) {
        if (strncmp(text, pair, key_size) == 0) return true;
    }
    return false;
}

static u32 handle_place(const struct records *records, const char *name) {
    const char *text = NULL;
    for (u32 place = 0; (text = records_next(records, 'h', text)); place++) {
        if (strcmp(text, name) == 0) {
            return place;
        }
    }
    return RECORDS_HANDLES_MAX;
}

handle_t records_handle(const struct records *records, const char *name) {
    u32 place = handle_place(records, name);
    return place < RECORDS_HANDLES_MAX ? records->handles[place] : CL_HANDLE_INVALID;
}

handle_t records_take(struct records *records, const char *name) {
    u32 place = handle_place(records, name);
    if (place == RECORDS_HANDLES_MAX) {
        return CL_HANDLE_INVALID;
    }
    handle_t handle = records->handles[place];
    records->handles[place] = CL_HANDLE_INVALID;
    return handle;
}

void records_begin(struct records_writer *writer, char *buffer, u32 room_bytes) {
    writer->bytes = buffer;
    writer->room_bytes = room_bytes;
    writer->size_bytes = 0;
    writer->handles_count = 0;
    writer->is_full = false;
}

// Bytes of one record; `separator` 0 leaves it and `second` out.
static void record_put(struct records_writer *writer, char kind, const char *first, char separator,
                       const char *second) {
    usize first_size = strlen(first);
    usize second_size = separator ? 1 + strlen(second) : 0;
    if (writer->room_bytes - writer->size_bytes < first_size + second_size + 2) {
        writer->is_full = true;
        return;
    }
    char *to = writer->bytes + writer->size_bytes;
    *to++ = kind;
    memcpy(to, first, first_size);
    to += first_size;
    if (separator) {
        *to = separator;
        memcpy(to + 1, second, second_size - 1);
        to += second_size;
    }
    *to++ = 0;
    writer->size_bytes = (u32)(to - writer->bytes);
}

void records_add(struct records_writer *writer, char kind, const char *text) {
    record_put(writer, kind, text, 0, NULL);
}

void records_add_pair(struct records_writer *writer, char kind, const char *key,
                      const char *value) {
    record_put(writer, kind, key, '=', value);
}

void records_add_handle(struct records_writer *writer, const char *name, handle_t handle) {
    if (handle == CL_HANDLE_INVALID) {
        return;
    }
    record_put(writer, 'h', name, 0, NULL);
    if (writer->handles_count < RECORDS_HANDLES_MAX)
        writer->handles[writer->handles_count++] = handle;
    else
        writer->is_full = true;
}
