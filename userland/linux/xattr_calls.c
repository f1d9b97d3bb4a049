// Extended attributes: no file system here has any. Listing them gives none, anything else says that
// they are not supported, once the file was found.
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/thread.h"
#include "linux/walk.h"

static i64 path_result(struct thread *thread, linux_ptr path, u32 flags, i64 result) {
    struct vnode *vnode;
    int found = path_resolve(thread, AT_FDCWD, path, flags, &vnode);
    if (found != 0) {
        return found;
    }
    vnode_put(vnode);
    return result;
}

static i64 file_result(struct thread *thread, i32 fd, i64 result) {
    return descriptor_flags(thread, fd) < 0 ? -EBADF : result;
}

i64 linux_setxattr(struct thread *thread, linux_ptr path, linux_ptr, linux_ptr, usize, u32) {
    return path_result(thread, path, WALK_FOLLOW, -EOPNOTSUPP);
}

i64 linux_lsetxattr(struct thread *thread, linux_ptr path, linux_ptr, linux_ptr, usize, u32) {
    return path_result(thread, path, WALK_NOFOLLOW, -EOPNOTSUPP);
}

i64 linux_fsetxattr(struct thread *thread, i32 fd, linux_ptr, linux_ptr, usize, u32) {
    return file_result(thread, fd, -EOPNOTSUPP);
}

i64 linux_getxattr(struct thread *thread, linux_ptr path, linux_ptr, linux_ptr, usize) {
    return path_result(thread, path, WALK_FOLLOW, -EOPNOTSUPP);
}

i64 linux_lgetxattr(struct thread *thread, linux_ptr path, linux_ptr, linux_ptr, usize) {
    return path_result(thread, path, WALK_NOFOLLOW, -EOPNOTSUPP);
}

i64 linux_fgetxattr(struct thread *thread, i32 fd, linux_ptr, linux_ptr, usize) {
    return file_result(thread, fd, -EOPNOTSUPP);
}

i64 linux_listxattr(struct thread *thread, linux_ptr path, linux_ptr, usize) {
    return path_result(thread, path, WALK_FOLLOW, 0);
}

i64 linux_llistxattr(struct thread *thread, linux_ptr path, linux_ptr, usize) {
    return path_result(thread, path, WALK_NOFOLLOW, 0);
}

i64 linux_flistxattr(struct thread *thread, i32 fd, linux_ptr, usize) {
    return file_result(thread, fd, 0);
}

i64 linux_removexattr(struct thread *thread, linux_ptr path, linux_ptr) {
    return path_result(thread, path, WALK_FOLLOW, -EOPNOTSUPP);
}

i64 linux_lremovexattr(struct thread *thread, linux_ptr path, linux_ptr) {
    return path_result(thread, path, WALK_NOFOLLOW, -EOPNOTSUPP);
}

i64 linux_fremovexattr(struct thread *thread, i32 fd, linux_ptr) {
    return file_result(thread, fd, -EOPNOTSUPP);
}
