// EROFS directories: blocks of sorted entries. A cookie is the byte offset of an entry within the
// directory, so it stays valid for ever. Lookup is a binary search over blocks by their first name,
// then within the block.
#include "lib/erofs.h"
#include "lib/string.h"

// One directory block, checked: entries [0, count) lie within it.
struct directory_block {
    const u8 *bytes;
    u32 size;
    u32 count;
};

static status_t directory_damaged(struct erofs *fs, const char *problem) {
    fs->problem = problem;
    return EROFS_DAMAGED;
}

static status_t directory_block_read(struct erofs *fs, const struct erofs_inode *directory,
                                     u64 offset, struct directory_block *block) {
    u64 image_offset;
    u64 length;
    status_t status = erofs_extent(directory, offset, &image_offset, &length);
    if (status != EROFS_OK) {
        return status;
    }
    block->bytes = fs->image + image_offset;
    block->size = (u32)min(length, (u64)EROFS_BLOCK_SIZE);
    struct erofs_dirent first;
    if (block->size < sizeof(first)) {
        return directory_damaged(fs, "directory block is too short for an entry");
    }
    memcpy(&first, block->bytes, sizeof(first));
    if (first.name_offset < sizeof(first) || first.name_offset >= block->size ||
        first.name_offset % sizeof(first) != 0) {
        return directory_damaged(fs, "directory block's first name is misplaced");
    }
    block->count = first.name_offset / (u32)sizeof(first);
    return EROFS_OK;
}

// An entry whose name lies within the block, which is all that comparing needs.
static status_t directory_block_peek(struct erofs *fs, const struct directory_block *block,
                                     u32 index, struct erofs_entry *entry) {
    const u8 *disk = block->bytes + index * sizeof(struct erofs_dirent);
    const u8 *following = disk + sizeof(struct erofs_dirent);
    bool is_last = index + 1 == block->count;
    u16 start;
    u16 end = 0;
    __builtin_memcpy(&start, disk + __builtin_offsetof(struct erofs_dirent, name_offset), 2);
    if (!is_last) {
        __builtin_memcpy(&end, following + __builtin_offsetof(struct erofs_dirent, name_offset), 2);
    }
    u32 limit = is_last ? block->size : end;
    if (start >= limit || limit > block->size) {
        return directory_damaged(fs, "directory entry's name is misplaced");
    }
    entry->name = (const char *)block->bytes + start;
    entry->name_size = is_last ? (u32)strnlen(entry->name, limit - start) : limit - start;
    return EROFS_OK;
}

// The whole entry, with a name that can be one.
static status_t directory_block_entry(struct erofs *fs, const struct directory_block *block,
                                      u32 index, struct erofs_entry *entry) {
    struct erofs_dirent disk;
    status_t status = directory_block_peek(fs, block, index, entry);
    if (status != EROFS_OK) {
        return status;
    }
    entry->name_size = (u32)strnlen(entry->name, entry->name_size);
    if (entry->name_size == 0 || entry->name_size > EROFS_NAME_MAX ||
        memchr(entry->name, '/', entry->name_size)) {
        return directory_damaged(fs, "directory entry's name is empty, too long or has a slash");
    }
    __builtin_memcpy(&disk, block->bytes + index * sizeof(disk), sizeof(disk));
    entry->nid = disk.nid;
    entry->file_type = disk.file_type;
    return EROFS_OK;
}

static int name_compare(const char *name, u32 name_size, const struct erofs_entry *entry) {
    u32 common = min(name_size, entry->name_size);
    for (u32 i = 0; i < common; i++) {
        if (name[i] != entry->name[i]) {
            return (u8)name[i] - (u8)entry->name[i];
        }
    }
    return (int)name_size - (int)entry->name_size;
}

// Finds the last block whose first name is not greater than `name`.
static status_t directory_find_block(struct erofs *fs, const struct erofs_inode *directory,
                                     const char *name, u32 name_size,
                                     struct directory_block *block) {
    u64 low = 0;
    u64 high = (directory->size_bytes + EROFS_BLOCK_SIZE - 1) >> EROFS_BLOCK_BITS;
    while (low < high) {
        u64 middle = low + (high - low) / 2;
        struct directory_block candidate;
        struct erofs_entry first;
        status_t status =
            directory_block_read(fs, directory, middle << EROFS_BLOCK_BITS, &candidate);
        if (status == EROFS_OK) {
            status = directory_block_peek(fs, &candidate, 0, &first);
        }
        if (status != EROFS_OK) {
            return status;
        }
        if (name_compare(name, name_size, &first) < 0) {
            high = middle;
        } else {
            *block = candidate;
            low = middle + 1;
        }
    }
    return low == 0 ? EROFS_NOT_FOUND : EROFS_OK;
}

status_t erofs_lookup(struct erofs *fs, const struct erofs_inode *directory, const char *name,
                      u32 name_size, struct erofs_entry *entry) {
    struct directory_block block;
    if ((directory->mode & 0170000) != 0040000) {
        return EROFS_NOT_DIRECTORY;
    }
    status_t status = directory_find_block(fs, directory, name, name_size, &block);
    if (status != EROFS_OK) {
        return status;
    }
    u32 low = 0;
    u32 high = block.count;
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        status = directory_block_peek(fs, &block, middle, entry);
        if (status != EROFS_OK) {
            return status;
        }
        int order = name_compare(name, name_size, entry);
        if (order == 0) {
            return directory_block_entry(fs, &block, middle, entry);
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return EROFS_NOT_FOUND;
}

status_t erofs_directory_next(struct erofs *fs, const struct erofs_inode *directory, u64 cookie,
                              struct erofs_entry *entry) {
    if ((directory->mode & 0170000) != 0040000) {
        return EROFS_NOT_DIRECTORY;
    }
    u64 block_offset = cookie & ~((u64)EROFS_BLOCK_SIZE - 1);
    u64 index =
        (cookie - block_offset + sizeof(struct erofs_dirent) - 1) / sizeof(struct erofs_dirent);
    struct directory_block block;
    status_t status = directory_block_read(fs, directory, block_offset, &block);
    if (status == EROFS_OK && index >= block.count) {
        block_offset += EROFS_BLOCK_SIZE;
        index = 0;
        status = directory_block_read(fs, directory, block_offset, &block);
    }
    if (status != EROFS_OK) {
        return status;
    }
    status = directory_block_entry(fs, &block, (u32)index, entry);
    entry->cookie = index + 1 < block.count
                        ? block_offset + (index + 1) * sizeof(struct erofs_dirent)
                        : block_offset + EROFS_BLOCK_SIZE;
    return status;
}

u64 erofs_directory_count(struct erofs *fs, const struct erofs_inode *directory) {
    enum { DOTS = 2 };
    struct directory_block block;
    u64 count = 0;
    for (u64 offset = 0; offset < directory->size_bytes; offset += EROFS_BLOCK_SIZE) {
        if (directory_block_read(fs, directory, offset, &block) == EROFS_OK) {
            count += block.count;
        }
    }
    return count > DOTS ? count - DOTS : 0;
}
