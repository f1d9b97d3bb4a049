// The first stack of a program, as the psABI and Linux have it, from the top down: a null word, the
// path, the strings, the platform's name, random bytes; then, at the stack pointer, argc, argv,
// envp and the auxiliary vector. Built in one buffer, written in one piece.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/copy.h"
#include "linux/credentials.h"
#include "linux/exec.h"
#include "linux/kernel_if.h"
#include "linux/processor.h"

enum { AUXILIARY_MAX = 20 };

struct stack_builder {
    u8 *buffer;
    u64 size;
    u64 start;  // address of the buffer's first byte
    u64 *words; // next to write
};

static void push_word(struct stack_builder *builder, u64 value) { *builder->words++ = value; }

static void push_auxiliary(struct stack_builder *builder, u64 type, u64 value) {
    push_word(builder, type);
    push_word(builder, value);
}

// Pushes the addresses of `count` strings; returns where the next one starts.
static u64 push_strings(struct stack_builder *builder, u64 address, u32 count) {
    for (u32 i = 0; i < count; i++) {
        push_word(builder, address);
        address += strlen((const char *)builder->buffer + (address - builder->start)) + 1;
    }
    push_word(builder, 0);
    return address;
}

static void push_vector(struct stack_builder *builder, const struct elf_image *image,
                        const struct exec_layout *layout, u64 path, u64 platform, u64 random) {
    if (layout->vdso) push_auxiliary(builder, AT_SYSINFO_EHDR, layout->vdso);
    push_auxiliary(builder, AT_HWCAP, processor_features());
    push_auxiliary(builder, AT_HWCAP2, PROCESSOR_HAS_FSGSBASE);
    push_auxiliary(builder, AT_PAGESZ, PAGE_SIZE);
    push_auxiliary(builder, AT_CLKTCK, 100);
    if (image->headers_address != 0) {
        push_auxiliary(builder, AT_PHDR, layout->base + image->headers_address);
        push_auxiliary(builder, AT_PHENT, image->headers_entry_size);
        push_auxiliary(builder, AT_PHNUM, image->headers_count);
    }
    push_auxiliary(builder, AT_BASE, 0);
    push_auxiliary(builder, AT_FLAGS, 0);
    push_auxiliary(builder, AT_ENTRY, layout->base + image->entry);
    push_auxiliary(builder, AT_UID, layout->credentials->uid);
    push_auxiliary(builder, AT_EUID, layout->credentials->euid);
    push_auxiliary(builder, AT_GID, layout->credentials->gid);
    push_auxiliary(builder, AT_EGID, layout->credentials->egid);
    push_auxiliary(builder, AT_SECURE, layout->is_secure);
    push_auxiliary(builder, AT_RANDOM, random);
    push_auxiliary(builder, AT_EXECFN, path);
    push_auxiliary(builder, AT_PLATFORM, platform);
    push_auxiliary(builder, AT_NULL, 0);
}

int exec_stack_write(const struct program *program, const struct elf_image *image,
                     const struct exec_layout *layout, const char *path, u64 *stack_pointer) {
    static const char platform_name[] = "x86_64";
    u64 path_size = strlen(path) + 1;
    u64 texts = path_size + program->size + sizeof(platform_name) + sizeof(layout->random);
    u64 words = 1 + program->argc + 1 + program->envc + 1 + 2 * AUXILIARY_MAX;
    u64 top = layout->stack_top - 8;
    u64 start = (top - texts - words * 8) & ~15UL;
    struct stack_builder builder = {
        .size = layout->stack_top - start, .start = start, .buffer = NULL};
    if (builder.size > layout->stack_top - layout->stack_start) {
        return -E2BIG;
    }
    builder.buffer = heap_alloc_zero(builder.size);
    if (!builder.buffer) {
        return -ENOMEM;
    }
    u64 path_address = top - path_size;
    u64 strings = path_address - program->size;
    u64 platform = strings - sizeof(platform_name);
    u64 random = platform - sizeof(layout->random);
    memcpy(builder.buffer + (path_address - start), path, path_size);
    memcpy(builder.buffer + (strings - start), program->text, program->size);
    memcpy(builder.buffer + (platform - start), platform_name, sizeof(platform_name));
    memcpy(builder.buffer + (random - start), layout->random, sizeof(layout->random));
    builder.words = (u64 *)builder.buffer;
    push_word(&builder, program->argc);
    u64 environment = push_strings(&builder, strings, program->argc);
    push_strings(&builder, environment, program->envc);
    push_vector(&builder, image, layout, path_address, platform, random);
    int result = copy_to_linux(linux_pointer(start), builder.buffer, builder.size);
    heap_free(builder.buffer);
    *stack_pointer = start;
    return result;
}
