// Between the manager and a container's personality, over the container's control channel. The
// personality's end is its bootstrap handle; version 1.
//
// The manager sends one message before it makes the clone: records (records.h)
//   hns      the container's namespace, without OWNER
//   himage   the image, a memory object: READ, EXECUTE, INSPECT. EROFS in all but its last page,
//            which is the image's text (docs/decisions/images-on-disk.md)
//   hstdin hstdout hstderr   channel ends for one-way messages of bytes; one that is not there is
//            /dev/null. A full channel answers SHOULD_WAIT: wait for WRITABLE. On stdin a message
//            has at most CONTAINER_STREAM_BYTES_MAX bytes, and PEER_CLOSED with nothing left is the
//            end of the file
//   aWORD …  the program and its arguments, at least one; the program is looked for in PATH
//   eKEY=VALUE …  its environment, all of it
//   oKEY=VALUE …  options of the container; unknown ones are ignored. `hostname`
// Where these are longer than a message, the first record is `mBYTES`: the bytes go on in a second
// message, of so many bytes and without handles.
//
// The personality sends one container_report when the container's first process has ended, or could
// not be started (126, 127: with a line on stderr that says why), and then exits. A personality
// that ends without a report has crashed. The manager then kills the namespace.
#pragma once

#include "lib/types.h"

enum : u32 { CONTAINER_PROTOCOL_VERSION = 1, CONTAINER_STREAM_BYTES_MAX = 4096 };

enum container_report_kind : u32 {
    CONTAINER_EXITED = 1, // `status` is the exit status as a shell counts: 128 + N for a signal
    CONTAINER_FAILED = 2, // the personality itself gave up; `status` is one of its own
};

struct container_report {
    u32 version;
    u32 kind;
    i32 status;
    u32 reserved;
};
static_assert(sizeof(struct container_report) == 16);

// Exit statuses as Docker has them.
enum {
    CONTAINER_STATUS_OURS = 125,
    CONTAINER_STATUS_NOT_EXECUTABLE = 126,
    CONTAINER_STATUS_NOT_FOUND = 127,
    CONTAINER_STATUS_SIGNAL = 128,
    CONTAINER_STATUS_KILLED = 137,
};
