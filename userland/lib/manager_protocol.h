// What the manager's clients say to it, by calls on its channel (the name `channel` in its
// namespace). docs/decisions/manager-protocol.md and container-life.md explain it. Version 2.
//
// A request is a manager_request and records (records.h) behind it; a reply is a manager_reply and
// behind it `count` structures, or the error as a text when status is not 0.
//
// What may take long (KILL, STOP, WAIT, REMOVE, TOP, COPY) can bring a channel end `hanswer`: then the
// call is answered at once, with an error or an empty reply, and the reply proper comes as a message on
// that channel. A client that does not want it any more closes its end.
//
// RUN      iIMAGE; nNAME (else the manager makes one); aWORD… (else the image's own command);
//          eKEY=VALUE…; oKEY=VALUE: cwd, user, tty, stdin, nofile (container_protocol.h); memory and
//          reservation (bytes), shares (of the CPU; 1024 by default), pids, handles, names, timers,
//          channel-bytes, log-bytes (a second), cpu-cap (thousandths of a CPU), read-bps, read-iops,
//          write-bps, write-iops (a second): the container's limits; hnotify hstdin hstdout hstderr
//          as far as the client wants them. Flags REMOVE, NEST. What is too long for a message goes into a memory object `hwords`:
//          `position` bytes of records that follow those of the request.
//          Answers with the manager_container as soon as it is started. Whoever holds the other end
//          of `notify` gets one manager_end when it has ended (with REMOVE: when its last page is
//          back), and then PEER_CLOSED.
// LIST     the containers after `position`, in order of creation: manager_container…
// REMOVE   nNAME. Flag FORCE kills it if it runs. Answers when its last page is back.
// EXEC     nNAME; a, e, o (cwd, user, tty), hnotify hstdin hstdout hstderr, hwords as for RUN: one
//          more process in a running container, with the container's environment below its own.
//          next_position of the reply is its number there; `notify` gets a manager_end with its
//          status.
// KILL     nNAME or, with SIGKILL, nNAME/NAME… for one in a container's container, which is answered
//          at once; `position` the signal, `id` 0 or EXEC's number. SIGKILL to the container is answered
//          when it has ended. Flag FORCE: SIGKILL also ends what is left of one that has ended, its
//          personality and its files, and is answered when its last page is back.
// RESIZE   nNAME, `position` rows << 16 | columns, `id` as for KILL: of the terminal.
// STOP     nNAME, `position` nanoseconds: SIGTERM, and SIGKILL so much later. Answers at the end.
// WAIT     nNAME: answers when it has ended, with the manager_container.
// ATTACH   nNAME, hnotify hstdin hstdout hstderr: what is attached to the container's streams from now
//          on. Whoever was attached before is told so on its `notify`.
// DETACH   nNAME: nothing is.
// LOGS     nNAME, hfollow: the manager_container, and a handle of the log (lib/log_ring.h). `follow`
//          gets a message when it has grown, if none waits there, and closes when the first process
//          has ended.
// START    nNAME; hnotify hstdin hstdout hstderr: runs the command of one that has ended once more, in
//          its own files. Where those are lost, it begins from the image, and next_position is 1.
// RENAME   nOLD nNEW.
// COPY     nFROM nPATH nTO nPATH: a file or tree from one container to another; neither has to run.
// TOP      nNAME: container_process… (lib/container_protocol.h), as far as there is room.
// INSPECT  nNAME: one manager_details.
// UPDATE   nNAME or nNAME/NAME…, oKEY=VALUE as for RUN: its limits from now on. Those of a container of
//          this manager's hold for all of its starts, those of another for as long as its namespace is
//          there.
// NAMES    nPATH, as for UPDATE (empty: the containers themselves): the names in its namespace after
//          `position`: cl_ns_entry…
// BIND     nPATH nNAME: gives an object this name there. The object is, in the namespace nPATH behind
//          them: nNAME, if that is not empty; else okoid=N, one that is charged to it or below; else the
//          namespace itself, for the user ouser=N. oceiling=RIGHTS (in numbers), or all that there
//          are; uUSER=RIGHTS… its access list, ueveryone=RIGHTS.
// UNBIND   nPATH nNAME.
// ACCESS   nPATH nNAME, uUSER=RIGHTS…: changes its access list (without RIGHTS: USER is in it no
//          more), if there is something to change. Answers with the cl_ns_entry, as it is then.
// TREE     the namespaces of all containers and those below them, each before its own: manager_node…
//          `position` is 0, or the next_position of the answer before
// IMAGES   the images after `position`: manager_image…
#pragma once

#include "abi/types.h"
#include "lib/types.h"

enum : u32 {
    MANAGER_PROTOCOL_VERSION = 2,
    MANAGER_NAME_MAX = 63,
    MANAGER_COMMAND_MAX = 63,
    MANAGER_PROBLEM_MAX = 127,
};

enum manager_operation : u32 {
    MANAGER_RUN = 1,
    MANAGER_LIST = 2,
    MANAGER_REMOVE = 3,
    MANAGER_KILL = 4,
    MANAGER_INSPECT = 5,
    MANAGER_IMAGES = 6,
    MANAGER_STOP = 7,
    MANAGER_WAIT = 8,
    MANAGER_EXEC = 9,
    MANAGER_RESIZE = 10,
    MANAGER_ATTACH = 11,
    MANAGER_DETACH = 12,
    MANAGER_LOGS = 13,
    MANAGER_START = 14,
    MANAGER_RENAME = 15,
    MANAGER_TOP = 16,
    MANAGER_COPY = 17,
    MANAGER_TREE = 18,
    MANAGER_UPDATE = 19,
    MANAGER_NAMES = 20,
    MANAGER_BIND = 21,
    MANAGER_UNBIND = 22,
    MANAGER_ACCESS = 23,
};

enum manager_flags : u32 {
    MANAGER_FLAG_REMOVE = 1, // RUN: forget the container when it has ended
    MANAGER_FLAG_FORCE = 2,  // REMOVE: kill it first; KILL: its files go, too
    MANAGER_FLAG_NEST = 4,   // RUN: it may have containers of its own
};

struct manager_request {
    u32 version;
    u32 operation;
    u32 flags;
    u32 id;
    u64 position; // LIST, IMAGES: 0, or a reply's next_position; else see above
};
static_assert(sizeof(struct manager_request) == 24);

struct manager_reply {
    i32 status; // 0, or the status for the client's own exit
    u32 count;
    u64 next_position; // 0: there are no more
};
static_assert(sizeof(struct manager_reply) == 16);

enum manager_state : u32 {
    MANAGER_STATE_RUNNING = 1,
    MANAGER_STATE_ENDING = 2, // killed; pages are still on their way back
    MANAGER_STATE_EXITED = 3,
};

enum manager_traits : u32 {
    MANAGER_TRAIT_TERMINAL = 1, // its streams are a terminal
    MANAGER_TRAIT_STDIN = 2,    // it has an input
    MANAGER_TRAIT_NATIVE = 4,   // it runs without a personality, and keeps no files
};

// Texts end in zeros.
struct manager_container {
    u64 id;
    u64 created_ns; // since boot
    u64 started_ns; // the last time
    u64 ended_ns;   // 0: not yet
    u32 state;
    i32 status; // of its end
    u32 traits; // enum manager_traits
    u32 reserved;
    char name[MANAGER_NAME_MAX + 1];
    char image[MANAGER_NAME_MAX + 1];
    char command[MANAGER_COMMAND_MAX + 1]; // cut
};

struct manager_details {
    struct manager_container container;
    u64 user;       // whose access its handle of its namespace has
    u64 has_ledger; // 0: the namespace is gone
    struct cl_ns_info ledger;
};

enum : u64 { MANAGER_NODE_CUT = ~0ull };

// A namespace: pages and objects are its own, threads with those below. With `objects` MANAGER_NODE_CUT
// it is none: more was there than the manager looks at.
struct manager_node {
    u32 depth; // 0: a container of this manager's
    u32 threads;
    u64 pages;
    u64 objects;
    char name[MANAGER_NAME_MAX + 1];
};
static_assert(sizeof(struct manager_node) == 88);

struct manager_image {
    u64 size_bytes;
    u64 resident_pages; // of it in memory
    char name[MANAGER_NAME_MAX + 1];
    char id[40];
};

struct manager_end {
    u32 version;
    i32 status;
    char problem[MANAGER_PROBLEM_MAX + 1]; // empty, or why it ended when it was not by itself
};
