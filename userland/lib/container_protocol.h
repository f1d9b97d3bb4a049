// Between the manager and a container's personality, over the container's control channel. The
// personality's end is its bootstrap handle. docs/decisions/container-life.md explains it. Version 2.
//
// The manager sends one message before it makes the clone: records (records.h)
//   hns      the container's namespace, without OWNER
//   himage   the image, a memory object: READ, EXECUTE, INSPECT. EROFS in all but its last page,
//            which is the image's text (docs/decisions/images-on-disk.md)
//   hlog     the log, a memory object: READ, WRITE (lib/log_ring.h); the manager's, and it stays
//   hstdin hstdout hstderr   channel ends for one-way messages of bytes: what is attached to the
//            container's streams. A full channel answers SHOULD_WAIT: wait for WRITABLE. On stdin a
//            message has at most CONTAINER_STREAM_BYTES_MAX bytes, and PEER_CLOSED with nothing left
//            is the end of the file. Output whose reader is gone, or that has none, is in the log
//   aWORD …  the program and its arguments, at least one; the program is looked for in PATH
//   eKEY=VALUE …  its environment, all of it
//   oKEY=VALUE …  options of the container; unknown ones are ignored:
//            hostname=NAME  cwd=PATH  user=NAME|UID[:GROUP|GID]
//            trace=1        a line for each system call on the standard error
//            tty=ROWSxCOLS  descriptors 0 to 2 are a terminal
//            stdin=1        without hstdin the input is not empty: it waits for ATTACH
//            keep=1         the personality stays when the first process has ended, with its files
//            log=1          the log goes on where it ends
//            pids=N         processes that there may be
//            nofile=SOFT[:HARD]  files that a process without a parent may have open
// Where these are longer than a message, the first record is `mBYTES`: the bytes go on in a second
// message, of so many bytes and without handles.
//
// Afterwards the manager sends container_requests, each with records behind it. Those of EXEC and START
// may go on in a memory object `hwords`, which `argument` bytes are of. It kicks the
// personality's first thread after the first one, which from then on watches the channel: a
// container that nobody asks anything has no thread for that.
//   SIGNAL   `argument` is the signal, to the first process, or to what EXEC `id` has started
//   EXEC     a, e, o (cwd, user, tty), hstdin hstdout hstderr: one more process. Reports
//            EXEC_ENDED `id` with its status
//   ATTACH   hstdin hstdout hstderr instead of what is attached
//   DETACH   nothing is attached: output goes on into the log, input waits
//   RESIZE   `argument` is rows << 16 | columns, of the terminal of EXEC `id` (0: the container's)
//   FOLLOW   hfollow: gets a message of a byte when the log has grown, if there is room; it
//            is closed when the first process has ended
//   LIMIT    `argument` is how many processes there may be from now on
//   TOP      Reports DONE with container_process structures
//   ARCHIVE  nPATH nNAME hdata: a ustar stream of the tree goes over the channel, as NAME, then it is
//            closed. What is wrong is the stream's last entry (linux/archive/ustar.h)
//   EXTRACT  nPATH nNAME hdata: takes one, whatever the sender calls it, to PATH, or where that is a
//            directory to NAME in it (`.`: the tree's contents). Both report DONE, with a line about
//            what is wrong, and work without a first process, too
//   START    the start message's records but ns, image and log: when the first process has ended,
//            another is started in what it has left
//
// The personality sends container_reports. EXITED comes when the first process has ended, or could
// not be started (126, 127: with a line on stderr that says why), and no other is left; without
// `keep` the personality then exits. One that ends without that has crashed.
#pragma once

#include "lib/types.h"

enum : u32 { CONTAINER_PROTOCOL_VERSION = 2, CONTAINER_STREAM_BYTES_MAX = 4096 };

enum container_operation : u32 {
    CONTAINER_SIGNAL = 1,
    CONTAINER_EXEC = 2,
    CONTAINER_ATTACH = 3,
    CONTAINER_DETACH = 4,
    CONTAINER_RESIZE = 5,
    CONTAINER_FOLLOW = 6,
    CONTAINER_TOP = 7,
    CONTAINER_ARCHIVE = 8,
    CONTAINER_EXTRACT = 9,
    CONTAINER_START = 10,
    CONTAINER_LIMIT = 11,
};

struct container_request {
    u32 version;
    u32 operation;
    u32 id; // chosen by the manager; reports repeat it; 0: the container itself
    i32 argument;
};
static_assert(sizeof(struct container_request) == 16);

enum container_report_kind : u32 {
    CONTAINER_EXITED = 1,     // `status` is the exit status as a shell counts: 128 + N for a signal
    CONTAINER_FAILED = 2,     // the personality itself gave up; `status` is one of its own
    CONTAINER_EXEC_ENDED = 3, // with a text where it did not get as far as the program
    CONTAINER_DONE = 4,       // `status` is 0, or not: then the bytes behind are a text
};

enum : u32 {
    CONTAINER_REPORT_BYTES_MAX = 16384,  // with what is behind the structure
    CONTAINER_REPORTS_BYTES_MAX = 24576, // that the manager holds unread
};

struct container_report {
    u32 version;
    u32 kind;
    u32 id;
    i32 status;
};
static_assert(sizeof(struct container_report) == 16);

// A process as TOP reports it.
enum : u32 { CONTAINER_COMMAND_MAX = 71 };

struct container_process {
    i32 pid;
    i32 parent;
    u32 uid;
    char state; // S, T (stopped) or Z
    char reserved[3];
    u64 start_ns; // monotonic
    char command[CONTAINER_COMMAND_MAX + 1];
};
static_assert(sizeof(struct container_process) == 96);

// Exit statuses as Docker has them.
enum {
    CONTAINER_STATUS_OURS = 125,
    CONTAINER_STATUS_NOT_EXECUTABLE = 126,
    CONTAINER_STATUS_NOT_FOUND = 127,
    CONTAINER_STATUS_SIGNAL = 128,
    CONTAINER_STATUS_KILLED = 137,
};
