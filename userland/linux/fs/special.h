// Device files, by major and minor number, whatever file system they are in.
#pragma once

#include "linux/vfs.h"

// Sets file->ops for a special file; 0 for a regular one or a directory, -ENXIO for a device that
// there is not.
int special_open(struct thread *thread, struct vnode *vnode, u64 device, struct file *file);

// Fills a directory with the usual devices and links.
int special_populate(struct vnode *directory);
