// Maps the segments of a program as its ELF file says: code and constants straight from the bundle,
// data as private pages of it, the rest zeros. The stack is the loader's choice.
#include "cloister.h"

#include "lib/elf.h"
#include "lib/loader.h"
#include "lib/message.h"

enum {
    STACK_BYTES = 64 * PAGE_SIZE,
    MESSAGE_EXTRA_BYTES = 1024, // what the kernel counts for a message's handles, and itself
};
enum : u64 { STACK_TOP = 0x7fffffe00000 };
static_assert(STACK_TOP < CL_PROCESS_LIMIT);

struct loading {
    handle_t aspace;
    handle_t bundle;
    struct bundle_file file;
    const char *problem;
};

static u32 map_flags(u32 elf_access) {
    return CL_MAP_EXACT | (elf_access & ELF_READ ? CL_MAP_READ : 0) |
           (elf_access & ELF_WRITE ? CL_MAP_WRITE : 0) |
           (elf_access & ELF_EXECUTE ? CL_MAP_EXECUTE : 0);
}

// Data must end where its last page does, or in zeros: our own linker script and bundle see to it,
// for a bundle's files are padded with zeros and data comes last.
static status_t segment_check(struct loading *loading, const struct elf_segment *segment) {
    u64 end = segment->file_offset + segment->file_size;
    bool has_zeros = segment->memory_size > segment->file_size && end % PAGE_SIZE != 0;
    if (has_zeros && end != loading->file.size_bytes) {
        loading->problem = "its data is not the end of the file";
        return ERR_INVALID_ARGUMENT;
    }
    return OK;
}

static status_t segment_map(struct loading *loading, const struct elf_segment *segment) {
    status_t status = segment_check(loading, segment);
    if (status != OK) {
        return status;
    }
    u64 start = page_round_down(segment->address);
    u64 file_end = page_round_up(segment->address + segment->file_size);
    u64 memory_end = page_round_up(segment->address + segment->memory_size);
    u64 mapped;
    if (segment->file_size > 0) {
        u64 offset = loading->file.offset + page_round_down(segment->file_offset);
        status = aspace_map(loading->aspace, loading->bundle, offset, start, file_end - start,
                            map_flags(segment->access), &mapped);
    } else {
        file_end = start;
    }
    if (status == OK && memory_end > file_end) {
        status = aspace_map(loading->aspace, 0, 0, file_end, memory_end - file_end,
                            map_flags(segment->access), &mapped);
    }
    return status;
}

static status_t program_map(struct loading *loading, u64 *entry) {
    static u8 header[ELF_HEADER_BYTES];
    struct elf_image image;
    u64 size = min(loading->file.size_bytes, (u64)sizeof(header));
    status_t status = memobj_read(loading->bundle, loading->file.offset, header, size);
    if (status != OK) {
        return status;
    }
    if (elf_parse(&image, header, size, loading->file.size_bytes, CL_PROCESS_LIMIT,
                  &loading->problem) != ELF_OK) {
        return ERR_INVALID_ARGUMENT;
    }
    for (u32 i = 0; i < image.segments_count; i++) {
        if ((status = segment_map(loading, &image.segments[i])) != OK) {
            return status;
        }
    }
    *entry = image.entry;
    u64 mapped;
    return aspace_map(loading->aspace, 0, 0, STACK_TOP - STACK_BYTES, STACK_BYTES,
                      CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXACT, &mapped);
}

// Makes the bootstrap channel, with the message waiting on the process's end.
static status_t bootstrap_make(handle_t ns, struct records_writer *records, handle_t *ours,
                               handle_t *theirs) {
    struct cl_channel_options options = {.send_bytes_max =
                                             CL_MESSAGE_BYTES_MAX + MESSAGE_EXTRA_BYTES,
                                         .first_bytes_max = PROGRAM_REPORTS_BYTES_MAX};
    status_t status = channel_create(0, ns, &options, ours, theirs);
    if (status != OK) {
        return status;
    }
    status = message_send(*ours, records->bytes, records->size_bytes, records->handles,
                          records->handles_count);
    if (status != OK) {
        handle_close(*theirs);
        return status;
    }
    records->handles_count = 0; // they have moved
    return OK;
}

static status_t program_run(struct loading *loading, handle_t ns, handle_t process,
                            struct records_writer *records, handle_t *control) {
    u64 entry;
    handle_t theirs;
    status_t status = program_map(loading, &entry);
    if (status != OK || (status = bootstrap_make(ns, records, control, &theirs)) != OK) {
        return status;
    }
    status = process_start(process, entry, STACK_TOP, theirs, 0);
    if (status != OK) handle_close(theirs);
    return status;
}

status_t program_start(handle_t ns, handle_t bundle, const char *name,
                       struct records_writer *records, handle_t *process, handle_t *control,
                       const char **problem) {
    struct loading loading = {.bundle = bundle, .problem = ""};
    *problem = "";
    *process = *control = CL_HANDLE_INVALID;
    status_t status = bundle_find(bundle, name, &loading.file);
    if (status != OK) {
        return status;
    }
    status = process_create(ns, process, &loading.aspace);
    if (status != OK) {
        return status;
    }
    status = program_run(&loading, ns, *process, records, control);
    handle_close(loading.aspace);
    if (status != OK) {
        *problem = loading.problem;
        process_kill(*process);
        handle_close(*process);
        if (*control) handle_close(*control);
        *process = *control = CL_HANDLE_INVALID;
    }
    return status;
}
