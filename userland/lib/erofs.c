// EROFS: superblock, inodes, and where a file's bytes are. Directories are in erofs_directory.c.
// Checks are made when an inode is decoded, so that what follows can rely on struct erofs_inode.
#include "lib/erofs.h"

#include "lib/string.h"

enum {
    MODE_TYPE = 0170000,
    MODE_CHARACTER = 0020000,
    MODE_DIRECTORY = 0040000,
    MODE_BLOCK = 0060000,
    XATTR_HEADER_BYTES = 12,
    XATTR_UNIT_BYTES = 4,
};

static status_t erofs_damaged(struct erofs *fs, const char *problem) {
    fs->problem = problem;
    return EROFS_DAMAGED;
}

static status_t erofs_unsupported(struct erofs *fs, const char *problem) {
    fs->problem = problem;
    return EROFS_UNSUPPORTED;
}

static bool range_is_inside(const struct erofs *fs, u64 offset, u64 size) {
    return offset <= fs->size_bytes && size <= fs->size_bytes - offset;
}

status_t erofs_open(struct erofs *fs, const void *image, u64 size_bytes) {
    *fs = (struct erofs){.image = image, .size_bytes = size_bytes};
    struct erofs_superblock super;
    if (!range_is_inside(fs, EROFS_SUPERBLOCK_OFFSET, sizeof(super))) {
        return erofs_damaged(fs, "image is too small for a superblock");
    }
    memcpy(&super, fs->image + EROFS_SUPERBLOCK_OFFSET, sizeof(super));
    if (super.magic != (u32)EROFS_MAGIC) {
        return erofs_damaged(fs, "superblock has no EROFS magic");
    }
    if (super.block_bits != EROFS_BLOCK_BITS) {
        return erofs_unsupported(fs, "block size is not 4096");
    }
    if (super.feature_incompat & ~(u32)EROFS_INCOMPAT_KNOWN) {
        return erofs_unsupported(fs, "image uses features that are not known (compression?)");
    }
    if ((u64)super.blocks << EROFS_BLOCK_BITS > size_bytes) {
        return erofs_damaged(fs, "image is shorter than its superblock says");
    }
    fs->meta_offset = (u64)super.meta_block << EROFS_BLOCK_BITS;
    fs->root_nid = super.root_nid;
    fs->build_time_s = super.build_time;
    fs->build_time_ns = super.build_time_ns;
    if (!range_is_inside(fs, fs->meta_offset, EROFS_INODE_UNIT)) {
        return erofs_damaged(fs, "metadata area lies outside the image");
    }
    struct erofs_inode root;
    status_t status = erofs_inode_read(fs, fs->root_nid, &root);
    if (status == EROFS_OK && (root.mode & MODE_TYPE) != MODE_DIRECTORY) {
        return erofs_damaged(fs, "root is not a directory");
    }
    return status;
}

// What both inode forms have in common, before the data's place is known.
struct raw_inode {
    u16 format;
    u16 xattr_count;
    u32 data;
    u64 end_offset; // first byte after the inode
};

static void inode_decode_compact(const struct erofs *fs, u64 offset, struct raw_inode *raw,
                                 struct erofs_inode *inode) {
    struct erofs_inode_compact disk;
    memcpy(&disk, fs->image + offset, sizeof(disk));
    raw->data = disk.data;
    raw->end_offset = offset + sizeof(disk);
    inode->size_bytes = disk.size;
    inode->mode = disk.mode;
    inode->nlink = disk.nlink;
    inode->uid = disk.uid;
    inode->gid = disk.gid;
    inode->mtime_s = fs->build_time_s;
    inode->mtime_ns = fs->build_time_ns;
}

static status_t inode_decode_extended(struct erofs *fs, u64 offset, struct raw_inode *raw,
                                      struct erofs_inode *inode) {
    struct erofs_inode_extended disk;
    if (!range_is_inside(fs, offset, sizeof(disk))) {
        return erofs_damaged(fs, "inode lies outside the image");
    }
    memcpy(&disk, fs->image + offset, sizeof(disk));
    raw->data = disk.data;
    raw->end_offset = offset + sizeof(disk);
    inode->size_bytes = disk.size;
    inode->mode = disk.mode;
    inode->nlink = disk.nlink;
    inode->uid = disk.uid;
    inode->gid = disk.gid;
    inode->mtime_s = disk.mtime;
    inode->mtime_ns = disk.mtime_ns;
    return EROFS_OK;
}

static status_t inode_locate_tail(struct erofs *fs, const struct raw_inode *raw,
                                  struct erofs_inode *inode) {
    u64 xattr_bytes = raw->xattr_count == 0
                          ? 0
                          : XATTR_HEADER_BYTES + XATTR_UNIT_BYTES * ((u64)raw->xattr_count - 1);
    u64 tail_size = inode->size_bytes & (EROFS_BLOCK_SIZE - 1);
    if (tail_size == 0 && inode->size_bytes > 0) {
        tail_size = EROFS_BLOCK_SIZE;
    }
    inode->tail_start = inode->size_bytes - tail_size;
    inode->tail_offset = raw->end_offset + xattr_bytes;
    if (!range_is_inside(fs, inode->tail_offset, tail_size)) {
        return erofs_damaged(fs, "inline data lies outside the image");
    }
    if ((inode->tail_offset & (EROFS_BLOCK_SIZE - 1)) + tail_size > EROFS_BLOCK_SIZE) {
        return erofs_damaged(fs, "inline data crosses the end of its block");
    }
    return EROFS_OK;
}

// Fills in where the data is; a special file has a device number in its place.
static status_t inode_locate_data(struct erofs *fs, const struct raw_inode *raw,
                                  struct erofs_inode *inode) {
    u32 type = inode->mode & MODE_TYPE;
    if (type == MODE_CHARACTER || type == MODE_BLOCK) {
        inode->device_major = (raw->data >> 8) & 0xfff;
        inode->device_minor = (raw->data & 0xff) | ((raw->data >> 12) & 0xfff00);
        inode->size_bytes = 0;
        return EROFS_OK;
    }
    if (inode->size_bytes > fs->size_bytes) {
        return erofs_damaged(fs, "file is larger than the image");
    }
    inode->tail_start = inode->size_bytes;
    u32 layout = (raw->format >> 1) & 7;
    if (layout == EROFS_LAYOUT_INLINE) {
        status_t status = inode_locate_tail(fs, raw, inode);
        if (status != EROFS_OK) {
            return status;
        }
    } else if (layout != EROFS_LAYOUT_PLAIN) {
        return erofs_unsupported(fs, "file is compressed or in chunks");
    }
    if (inode->tail_start == 0) {
        return EROFS_OK;
    }
    inode->data_offset = (u64)raw->data << EROFS_BLOCK_BITS;
    if (!range_is_inside(fs, inode->data_offset, inode->tail_start)) {
        return erofs_damaged(fs, "file data lies outside the image");
    }
    return EROFS_OK;
}

static bool mode_has_type(u32 mode) {
    const u32 types =
        1U << 1 | 1U << 2 | 1U << 4 | 1U << 6 | 1U << 8 | 1U << 10 | 1U << 12; // FIFO ... socket
    return types >> ((mode & MODE_TYPE) >> 12) & 1;
}

// Without a link it would count as removed, and without a type as nothing at all.
static status_t inode_check(struct erofs *fs, const struct erofs_inode *inode) {
    if (inode->nlink == 0) {
        return erofs_damaged(fs, "inode has no links");
    }
    return mode_has_type(inode->mode) ? EROFS_OK : erofs_damaged(fs, "inode has no type");
}

status_t erofs_inode_read(struct erofs *fs, u64 nid, struct erofs_inode *inode) {
    *inode = (struct erofs_inode){.nid = nid};
    if (nid > fs->size_bytes / EROFS_INODE_UNIT ||
        !range_is_inside(fs, fs->meta_offset + nid * EROFS_INODE_UNIT, EROFS_INODE_UNIT)) {
        return erofs_damaged(fs, "inode lies outside the image");
    }
    u64 offset = fs->meta_offset + nid * EROFS_INODE_UNIT;
    struct raw_inode raw = {};
    memcpy(&raw.format, fs->image + offset, sizeof(raw.format));
    memcpy(&raw.xattr_count, fs->image + offset + 2, sizeof(raw.xattr_count));
    status_t status;
    if (raw.format & 1) {
        status = inode_decode_extended(fs, offset, &raw, inode);
        if (status != EROFS_OK) {
            return status;
        }
    } else {
        inode_decode_compact(fs, offset, &raw, inode);
    }
    status = inode_check(fs, inode);
    return status == EROFS_OK ? inode_locate_data(fs, &raw, inode) : status;
}

status_t erofs_extent(const struct erofs_inode *inode, u64 offset, u64 *image_offset, u64 *length) {
    if (offset >= inode->size_bytes) {
        return EROFS_END;
    }
    if (offset < inode->tail_start) {
        *image_offset = inode->data_offset + offset;
        *length = inode->tail_start - offset;
    } else {
        *image_offset = inode->tail_offset + (offset - inode->tail_start);
        *length = inode->size_bytes - offset;
    }
    return EROFS_OK;
}

u64 erofs_mappable_pages(const struct erofs_inode *inode, u64 offset, u64 *image_offset) {
    if (offset >= inode->tail_start || (inode->data_offset & PAGE_MASK)) {
        return 0;
    }
    *image_offset = inode->data_offset + offset;
    return (inode->tail_start - offset + PAGE_MASK) / PAGE_SIZE;
}

u64 erofs_read(const struct erofs *fs, const struct erofs_inode *inode, u64 offset, void *buffer,
               u64 size) {
    u64 done = 0;
    u64 image_offset;
    u64 length;
    while (done < size && erofs_extent(inode, offset + done, &image_offset, &length) == EROFS_OK) {
        u64 count = min(length, size - done);
        memcpy((u8 *)buffer + done, fs->image + image_offset, count);
        done += count;
    }
    return done;
}
