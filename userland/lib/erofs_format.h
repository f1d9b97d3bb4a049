// The on-disk format of EROFS, little-endian, as in the kernel documentation
// Documentation/filesystems/erofs.rst and what mkfs.erofs 1.5 writes. Uncompressed images only.
#pragma once

#include "lib/types.h"

enum {
    EROFS_MAGIC = (int)0xe0f5e1e2,
    EROFS_SUPERBLOCK_OFFSET = 1024,
    EROFS_BLOCK_BITS = 12,
    EROFS_BLOCK_SIZE = 1 << EROFS_BLOCK_BITS,
    EROFS_INODE_UNIT = 32, // a nid counts these from the start of the metadata area
    EROFS_NAME_MAX = 255,
};

// feature_incompat: a bit that is not known here means that the image can't be read.
enum {
    EROFS_INCOMPAT_LZ4_0PADDING = 1,
    EROFS_INCOMPAT_KNOWN = EROFS_INCOMPAT_LZ4_0PADDING,
};

enum {
    EROFS_LAYOUT_PLAIN = 0,  // all data in consecutive blocks
    EROFS_LAYOUT_INLINE = 2, // the last block's bytes follow the inode
};

struct erofs_superblock {
    u32 magic;
    u32 checksum;
    u32 feature_compat;
    u8 block_bits;
    u8 extension_slots;
    u16 root_nid;
    u64 inodes;
    u64 build_time;
    u32 build_time_ns;
    u32 blocks;
    u32 meta_block;
    u32 xattr_block;
    u8 uuid[16];
    u8 volume_name[16];
    u32 feature_incompat;
    u16 compression;
    u16 extra_devices;
    u16 device_slots;
    u8 directory_block_bits;
    u8 reserved[37];
};
static_assert(sizeof(struct erofs_superblock) == 128);

// format: bit 0 is 1 for the extended form; bits 1 to 3 are the layout.
struct erofs_inode_compact {
    u16 format;
    u16 xattr_count;
    u16 mode;
    u16 nlink;
    u32 size;
    u32 reserved;
    u32 data; // first block, or the device number
    u32 ino;
    u16 uid;
    u16 gid;
    u32 reserved2;
};
static_assert(sizeof(struct erofs_inode_compact) == 32);

struct erofs_inode_extended {
    u16 format;
    u16 xattr_count;
    u16 mode;
    u16 reserved;
    u64 size;
    u32 data;
    u32 ino;
    u32 uid;
    u32 gid;
    u64 mtime;
    u32 mtime_ns;
    u32 nlink;
    u8 reserved2[16];
};
static_assert(sizeof(struct erofs_inode_extended) == 64);

// A directory block is an array of these, sorted by name, then the names. The first entry's
// name_offset tells how many there are.
struct erofs_dirent {
    u64 nid;
    u16 name_offset;
    u8 file_type;
    u8 reserved;
} __attribute__((packed));
static_assert(sizeof(struct erofs_dirent) == 12);
