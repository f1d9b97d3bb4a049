// Parses hostile ELF headers; what is accepted must keep the promises of lib/elf.h.
#include "lib/elf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const u64 limit = 0x7f8000000000;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    u8 *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    struct elf_image image;
    const char *problem = NULL;
    status_t status = elf_parse(&image, copy, size, size * 2, limit, &problem);
    if (status != ELF_OK && !problem) {
        abort();
    }
    for (u32 i = 0; status == ELF_OK && i < image.segments_count; i++) {
        const struct elf_segment *segment = &image.segments[i];
        if (segment->address + segment->memory_size > limit ||
            segment->file_offset + segment->file_size > size * 2 ||
            segment->file_size > segment->memory_size) {
            abort();
        }
    }
    free(copy);
    return 0;
}
