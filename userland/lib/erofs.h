// A reader of EROFS images that lie in memory.
// Rules:
// - the image is the caller's, must stay mapped, and must not change; a page of it that can't be
//   read faults in the caller, nothing here catches that;
// - nothing here allocates, blocks or writes, but for fs->problem, so that any number of threads
//   may read at once;
// - an image is not trusted: every offset is checked before it is followed. What is wrong gives
//   EROFS_DAMAGED and a text in fs->problem.
#pragma once

#include "lib/erofs_format.h"
#include "lib/types.h"

enum {
    EROFS_OK = 0,
    EROFS_NOT_FOUND = -1,
    EROFS_DAMAGED = -2,
    EROFS_UNSUPPORTED = -3,
    EROFS_END = -4, // no more directory entries, or an offset at or beyond the end of a file
    EROFS_NOT_DIRECTORY = -5,
};

struct erofs {
    const u8 *image;
    u64 size_bytes;
    u64 meta_offset;
    u64 root_nid;
    u64 build_time_s;
    u32 build_time_ns;
    const char *problem; // what was wrong last, for a log line; a constant text
};

// An inode, decoded and checked: [0, tail_start) of the file is at data_offset of the image,
// [tail_start, size) at tail_offset, and both lie within the image.
struct erofs_inode {
    u64 nid;
    u64 size_bytes;
    u64 data_offset;
    u64 tail_start;
    u64 tail_offset;
    u64 mtime_s;
    u32 mtime_ns;
    u32 mode; // as in Linux's st_mode, type included
    u32 nlink;
    u32 uid;
    u32 gid;
    u32 device_major;
    u32 device_minor;
};

struct erofs_entry {
    u64 nid;
    const char *name; // in the image, not terminated
    u32 name_size;
    u32 file_type; // 1 regular, 2 directory, 3 char, 4 block, 5 fifo, 6 socket, 7 symlink
    u64 cookie;    // for the next erofs_directory_next
};

status_t erofs_open(struct erofs *fs, const void *image, u64 size_bytes);
status_t erofs_inode_read(struct erofs *fs, u64 nid, struct erofs_inode *inode);

// Where the bytes of a file from `offset` on are: *image_offset, and how many lie in one piece.
// EROFS_END at or beyond the end.
status_t erofs_extent(const struct erofs_inode *inode, u64 offset, u64 *image_offset, u64 *length);

// How many pages from the page-aligned `offset` on can be mapped straight from the image, and where
// they are in it. 0 pages: not mappable (in the tail, or beyond the end); copy instead. The last
// page may hold bytes that are not the file's: mkfs pads with zeros, but who maps a page that the
// file does not fill must not rely on it.
u64 erofs_mappable_pages(const struct erofs_inode *inode, u64 offset, u64 *image_offset);

// Copies up to `size` bytes; returns how many, 0 at the end.
u64 erofs_read(const struct erofs *fs, const struct erofs_inode *inode, u64 offset, void *buffer,
               u64 size);

status_t erofs_lookup(struct erofs *fs, const struct erofs_inode *directory, const char *name,
                      u32 name_size, struct erofs_entry *entry);

// The first entry is at cookie 0, the next at entry->cookie. `.` and `..` are entries like others.
status_t erofs_directory_next(struct erofs *fs, const struct erofs_inode *directory, u64 cookie,
                              struct erofs_entry *entry);
// How many names a directory has, without "." and "..". What is damaged counts as nothing.
u64 erofs_directory_count(struct erofs *fs, const struct erofs_inode *directory);
