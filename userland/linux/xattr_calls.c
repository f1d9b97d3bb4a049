// Extended attributes: no file system here has any. Listing them gives none, anything else says that
// they are not supported, once the file was found, and may be changed where that is asked.
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/mount.h"
#include "linux/thread.h"
#include "linux/walk.h"

enum { XATTR_READ = 0, XATTR_CHANGE = 1 };

static i64 path_result(struct thread *thread, linux_ptr path, u32 flags, u32 use, i64 result) {
    struct path found;
    int error = path_resolve(thread, AT_FDCWD, path, flags, &found);
    if (error != 0) {
        return error;
    }
    bool is_refused = use == XATTR_CHANGE && path_is_read_only(found);
    path_put(found);
    return is_refused ? -EROFS : result;
}

static i64 file_result(struct thread *thread, i32 fd, u32 use, i64 result) {
    struct file *file = descriptor_get_open(thread, fd);
    if (!file) {
        return -EBADF;
    }
    bool is_refused = use == XATTR_CHANGE && path_is_read_only(file_path(file));
    file_put(file);
    return is_refused ? -EROFS : result;
}

i64 linux_setxattr(struct thread *thread, linux_ptr path, linux_ptr, linux_ptr, usize, u32) {
    return path_result(thread, path, WALK_FOLLOW, XATTR_CHANGE, -EOPNOTSUPP);
}

i64 linux_lsetxattr(struct thread *thread, linux_ptr path, linux_ptr, linux_ptr, usize, u32) {
    return path_result(thread, path, WALK_NOFOLLOW, XATTR_CHANGE, -EOPNOTSUPP);
}

i64 linux_fsetxattr(struct thread *thread, i32 fd, linux_ptr, linux_ptr, usize, u32) {
    return file_result(thread, fd, XATTR_CHANGE, -EOPNOTSUPP);
}

i64 linux_getxattr(struct thread *thread, linux_ptr path, linux_ptr, linux_ptr, usize) {
    return path_result(thread, path, WALK_FOLLOW, XATTR_READ, -EOPNOTSUPP);
}

i64 linux_lgetxattr(struct thread *thread, linux_ptr path, linux_ptr, linux_ptr, usize) {
    return path_result(thread, path, WALK_NOFOLLOW, XATTR_READ, -EOPNOTSUPP);
}

i64 linux_fgetxattr(struct thread *thread, i32 fd, linux_ptr, linux_ptr, usize) {
    return file_result(thread, fd, XATTR_READ, -EOPNOTSUPP);
}

i64 linux_listxattr(struct thread *thread, linux_ptr path, linux_ptr, usize) {
    return path_result(thread, path, WALK_FOLLOW, XATTR_READ, 0);
}

i64 linux_llistxattr(struct thread *thread, linux_ptr path, linux_ptr, usize) {
    return path_result(thread, path, WALK_NOFOLLOW, XATTR_READ, 0);
}

i64 linux_flistxattr(struct thread *thread, i32 fd, linux_ptr, usize) {
    return file_result(thread, fd, XATTR_READ, 0);
}

i64 linux_removexattr(struct thread *thread, linux_ptr path, linux_ptr) {
    return path_result(thread, path, WALK_FOLLOW, XATTR_CHANGE, -EOPNOTSUPP);
}

i64 linux_lremovexattr(struct thread *thread, linux_ptr path, linux_ptr) {
    return path_result(thread, path, WALK_NOFOLLOW, XATTR_CHANGE, -EOPNOTSUPP);
}

i64 linux_fremovexattr(struct thread *thread, i32 fd, linux_ptr) {
    return file_result(thread, fd, XATTR_CHANGE, -EOPNOTSUPP);
}
