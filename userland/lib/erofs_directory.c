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

static status_t directory_damaged(struct erofs *fs, const char *problem)
{
    fs->problem = problem;
    return EROFS_DAMAGED;
}

static status_t directory_block_read(struct erofs *fs, const struct erofs_inode *directory,
                                     u64 offset, struct directory_block *block)
{
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

static status_t directory_block_entry(struct erofs *fs, const struct directory_block *block,
                                      u32 index, struct erofs_entry *entry)
{
    struct erofs_dirent disk;
    memcpy(&disk, block->bytes + index * sizeof(disk), sizeof(disk));
    u32 end = block->size;
    if (index + 1 < block->count) {
        struct erofs_dirent following;
        memcpy(&following, block->bytes + (index + 1) * sizeof(disk), sizeof(disk));
        end = following.name_offset;
    }
    if (disk.name_offset >= end || end > block->size) {
        return directory_damaged(fs, "directory entry's name is misplaced");
    }
    const char *name = (const char *)block->bytes + disk.name_offset;
    u64 size = strnlen(name, end - disk.name_offset);
    if (size == 0 || size > EROFS_NAME_MAX || memchr(name, '/', size)) {
        return directory_damaged(fs, "directory entry's name is empty, too long or has a slash");
    }
    *entry = (struct erofs_entry){
        .nid = disk.nid, .name = name, .name_size = (u32)size, .file_type = disk.file_type};
    return EROFS_OK;
}

static int name_compare(const char *name, u32 name_size, const struct erofs_entry *entry)
{
    int order = memcmp(name, entry->name, min(name_size, entry->name_size));
    return order ? order : (int)name_size - (int)entry->name_size;
}

// Finds the last block whose first name is not greater than `name`.
static status_t directory_find_block(struct erofs *fs, const struct erofs_inode *directory,
                                     const char *name, u32 name_size, struct directory_block *block)
{
    u64 low = 0;
    u64 high = (directory->size_bytes + EROFS_BLOCK_SIZE - 1) >> EROFS_BLOCK_BITS;
    while (low < high) {
        u64 middle = low + (high - low) / 2;
        struct directory_block candidate;
        struct erofs_entry first;
        status_t status =
            directory_block_read(fs, directory, middle << EROFS_BLOCK_BITS, &candidate);
        if (status == EROFS_OK) {
            status = directory_block_entry(fs, &candidate, 0, &first);
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
                      u32 name_size, struct erofs_entry *entry)
{
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
        status = directory_block_entry(fs, &block, middle, entry);
        if (status != EROFS_OK) {
            return status;
        }
        int order = name_compare(name, name_size, entry);
        if (order == 0) {
            return EROFS_OK;
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
                              struct erofs_entry *entry)
{
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
