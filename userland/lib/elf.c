// ELF64 parsing: the file header, then each program header, checked in file order.
#include "lib/elf.h"

#include "lib/string.h"

enum {
    CLASS_64 = 2,
    DATA_LITTLE = 1,
    TYPE_EXECUTABLE = 2,
    TYPE_DYNAMIC = 3,
    MACHINE_X86_64 = 62,
    SEGMENT_LOAD = 1,
    SEGMENT_INTERPRETER = 3,
    SEGMENT_HEADERS = 6,
    SEGMENT_GNU_STACK = 0x6474e551,
};

struct file_header {
    u8 magic[4];
    u8 class;
    u8 data;
    u8 version;
    u8 abi;
    u8 padding[8];
    u16 type;
    u16 machine;
    u32 version2;
    u64 entry;
    u64 headers_offset;
    u64 sections_offset;
    u32 flags;
    u16 header_size;
    u16 headers_entry_size;
    u16 headers_count;
    u16 sections[3];
};
static_assert(sizeof(struct file_header) == 64);

struct program_header {
    u32 type;
    u32 flags;
    u64 offset;
    u64 address;
    u64 physical;
    u64 file_size;
    u64 memory_size;
    u64 align;
};
static_assert(sizeof(struct program_header) == 56);

static status_t refuse(const char **problem, status_t status, const char *text) {
    *problem = text;
    return status;
}

static status_t file_header_check(const struct file_header *header, u64 header_size,
                                  const char **problem) {
    if (header->class != CLASS_64 || header->data != DATA_LITTLE ||
        header->machine != MACHINE_X86_64) {
        return refuse(problem, ELF_UNSUPPORTED, "ELF file is not for 64-bit x86");
    }
    if (header->type != TYPE_EXECUTABLE && header->type != TYPE_DYNAMIC) {
        return refuse(problem, ELF_UNSUPPORTED, "ELF file is not a program");
    }
    if (header->headers_entry_size != sizeof(struct program_header)) {
        return refuse(problem, ELF_DAMAGED, "ELF program headers have a wrong size");
    }
    u64 headers_bytes = (u64)header->headers_count * sizeof(struct program_header);
    if (header->headers_offset > header_size ||
        headers_bytes > header_size - header->headers_offset) {
        return refuse(problem, ELF_DAMAGED, "ELF program headers are not in the first 2 KiB");
    }
    return ELF_OK;
}

static status_t segment_check(const struct elf_image *image, const struct program_header *header,
                              u64 file_size, u64 address_limit, const char **problem) {
    if (image->segments_count == ELF_SEGMENTS_MAX) {
        return refuse(problem, ELF_UNSUPPORTED, "ELF file has more than 16 segments");
    }
    if (header->offset > file_size || header->file_size > file_size - header->offset) {
        return refuse(problem, ELF_DAMAGED, "ELF segment lies outside the file");
    }
    if (header->file_size > header->memory_size) {
        return refuse(problem, ELF_DAMAGED, "ELF segment is larger in the file than in memory");
    }
    if (header->address >= address_limit || header->memory_size > address_limit - header->address) {
        return refuse(problem, ELF_DAMAGED, "ELF segment lies outside the address space");
    }
    if ((header->address ^ header->offset) & PAGE_MASK) {
        return refuse(problem, ELF_DAMAGED, "ELF segment's address and offset do not fit");
    }
    if (image->segments_count > 0) {
        const struct elf_segment *last = &image->segments[image->segments_count - 1];
        if (page_round_down(header->address) < page_round_up(last->address + last->memory_size)) {
            return refuse(problem, ELF_DAMAGED, "ELF segments overlap or are out of order");
        }
    }
    return ELF_OK;
}

static void segment_add(struct elf_image *image, const struct program_header *header,
                        const struct file_header *file) {
    image->segments[image->segments_count++] = (struct elf_segment){
        .address = header->address,
        .file_offset = header->offset,
        .file_size = header->file_size,
        .memory_size = header->memory_size,
        .access = header->flags & (ELF_READ | ELF_WRITE | ELF_EXECUTE),
    };
    u64 headers_end =
        file->headers_offset + (u64)file->headers_count * sizeof(struct program_header);
    if (header->offset <= file->headers_offset &&
        headers_end <= header->offset + header->file_size) {
        image->headers_address = header->address + (file->headers_offset - header->offset);
    }
}

static status_t program_header_apply(struct elf_image *image, const struct program_header *header,
                                     const struct file_header *file, u64 file_size,
                                     u64 address_limit, const char **problem) {
    status_t status;
    switch (header->type) {
    case SEGMENT_INTERPRETER:
        return refuse(problem, ELF_UNSUPPORTED,
                      "ELF file needs an interpreter; only static programs run so far");
    case SEGMENT_GNU_STACK:
        image->has_executable_stack = header->flags & ELF_EXECUTE;
        return ELF_OK;
    case SEGMENT_LOAD:
        if (header->memory_size == 0) {
            return ELF_OK;
        }
        status = segment_check(image, header, file_size, address_limit, problem);
        if (status == ELF_OK) {
            segment_add(image, header, file);
        }
        return status;
    default: return ELF_OK;
    }
}

// The entry must be in an executable segment: an address that is none faults in the program, but
// saying so here is kinder.
static bool entry_is_executable(const struct elf_image *image) {
    for (u32 i = 0; i < image->segments_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if ((segment->access & ELF_EXECUTE) && image->entry >= segment->address &&
            image->entry - segment->address < segment->memory_size) {
            return true;
        }
    }
    return false;
}

status_t elf_parse(struct elf_image *image, const void *header, u64 header_size, u64 file_size,
                   u64 address_limit, const char **problem) {
    *image = (struct elf_image){};
    struct file_header file;
    if (header_size < 4 || memcmp(header, "\177ELF", 4) != 0) {
        return refuse(problem, ELF_NOT_ELF, "not an ELF file");
    }
    if (header_size < sizeof(file)) {
        return refuse(problem, ELF_DAMAGED, "ELF header is cut off");
    }
    memcpy(&file, header, sizeof(file));
    status_t status = file_header_check(&file, header_size, problem);
    image->entry = file.entry;
    image->headers_count = file.headers_count;
    image->headers_entry_size = file.headers_entry_size;
    image->is_relocatable = file.type == TYPE_DYNAMIC;
    for (u32 i = 0; i < file.headers_count && status == ELF_OK; i++) {
        struct program_header program;
        memcpy(&program, (const u8 *)header + file.headers_offset + i * sizeof(program),
               sizeof(program));
        status = program_header_apply(image, &program, &file, file_size, address_limit, problem);
    }
    if (status != ELF_OK) {
        return status;
    }
    if (!entry_is_executable(image)) {
        return refuse(problem, ELF_DAMAGED, "ELF entry is in no executable segment");
    }
    return ELF_OK;
}
