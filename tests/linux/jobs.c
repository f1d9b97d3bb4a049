// Job control without a terminal: groups, sessions, stopping, orphans, and all ways to wait.
#include "check.h"

enum {
    SYS_clone_call = 56,
    SYS_getpgrp = 111,
    SYS_setsid = 112,
    SYS_getpgid = 121,
    SYS_getsid = 124,
    SYS_prctl = 157,
    SYS_waitid = 247,
    SYS_getuid = 102,
    SYS_setresuid = 117,
    SYS_getpriority = 140,
    SYS_setpriority = 141,
    SYS_prlimit = 302,
};
enum { RLIMIT_NPROC = 6, RLIMIT_NOFILE = 7, EMFILE = 24 };
enum { P_ALL = 0, P_PID = 1, P_PGID = 2 };
enum { WEXITED = 4, WSTOPPED = 2, WNOWAIT = 0x1000000, WALL = 0x40000000 };
enum : u32 { WCLONE = 0x80000000U };
enum { CLD_EXITED = 1, CLD_KILLED = 2, CLD_STOPPED = 5, CLD_CONTINUED = 6 };
enum { SIGHUP = 1, SIGTSTP = 20, SIGTTIN = 21 };
enum : u64 { SA_NOCLDSTOP = 1, SA_NOCLDWAIT = 2 };
enum { PR_SET_PDEATHSIG = 1, PR_GET_PDEATHSIG = 2, PR_SET_SUBREAPER = 36, PR_GET_SUBREAPER = 37 };

static int pipe_ends[2];

static void ready(char what) { SYS(SYS_write, pipe_ends[1], &what, 1); }

static long self_pid(void) { return SYS(SYS_getpid); }

static char await(void) {
    char what = 0;
    SYS(SYS_read, pipe_ends[0], &what, 1);
    return what;
}

static long fork_child(int (*body)(void)) {
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(body());
    return pid;
}

static int body_stays(void) {
    for (;;)
        SYS(SYS_pause);
}

static int body_new_session(void) {
    long pid = SYS(SYS_getpid);
    IS(SYS(SYS_setsid), pid);
    IS(SYS(SYS_setsid), -EPERM);
    IS(SYS(SYS_getpgrp), pid);
    IS(SYS(SYS_getsid, 0), pid);
    IS(SYS(SYS_setpgid, 0, 0), -EPERM);
    ready('s');
    return body_stays();
}

static void test_groups(void) {
    long self = SYS(SYS_getpid);
    long child = fork_child(body_stays);
    IS(SYS(SYS_getpgid, child), SYS(SYS_getpgrp));
    IS(SYS(SYS_setpgid, child, -1), -EINVAL);
    IS(SYS(SYS_setpgid, -5, 0), -EINVAL);
    IS(SYS(SYS_setpgid, -5, 7), -ESRCH);
    IS(SYS(SYS_setpgid, child, 0), 0);
    IS(SYS(SYS_getpgid, child), child);
    IS(SYS(SYS_getpgid, 999999), -ESRCH);
    IS(SYS(SYS_getsid, 999999), -ESRCH);
    long other = fork_child(body_stays);
    IS(SYS(SYS_setpgid, other, child), 0);
    IS(SYS(SYS_kill, child, SIGKILL), 0);
    IS(wait_status(child), SIGKILL);
    IS(SYS(SYS_getpgid, other), child);
    long third = fork_child(body_stays);
    IS(SYS(SYS_setpgid, third, child), 0);
    IS(SYS(SYS_kill, -child, SIGTERM), 0);
    IS(wait_status(other), SIGTERM);
    IS(wait_status(third), SIGTERM);
    IS(SYS(SYS_kill, -child, 0), -ESRCH);
    long leader = fork_child(body_new_session);
    IS(await(), 's');
    IS(SYS(SYS_getsid, leader), leader);
    IS(SYS(SYS_setpgid, leader, self), -EPERM);
    IS(SYS(SYS_kill, leader, SIGTERM), 0);
    IS(wait_status(leader), SIGTERM);
}

static int body_with_group(void) {
    long child = fork_child(body_stays);
    SYS(SYS_setpgid, child, child);
    long self = SYS(SYS_getpid);
    // A group of this number exists once somebody is in it.
    SYS(SYS_setpgid, 0, 0);
    long other = fork_child(body_stays);
    SYS(SYS_setpgid, 0, child);
    IS(SYS(SYS_setsid), -EPERM);
    IS(SYS(SYS_getpgid, other), self);
    SYS(SYS_kill, child, SIGKILL);
    SYS(SYS_kill, other, SIGKILL);
    wait_status(child);
    wait_status(other);
    IS(SYS(SYS_setsid), self);
    return failures ? 1 : 0;
}

static long info_wait(u32 type, long id, u32 options, struct siginfo *info) {
    *info = (struct siginfo){.signo = 77};
    return SYS(SYS_waitid, type, id, info, options, 0);
}

static void test_wait_forms(void) {
    struct siginfo info;
    long child = fork_child(body_stays);
    IS(info_wait(P_ALL, 0, 0, &info), -EINVAL);
    IS(info_wait(P_ALL, 0, WEXITED | 0x100, &info), -EINVAL);
    IS(info_wait(P_PID, 0, WEXITED, &info), -EINVAL);
    IS(info_wait(P_PGID, -1, WEXITED, &info), -EINVAL);
    IS(info_wait(7, 1, WEXITED, &info), -EINVAL);
    IS(SYS(SYS_wait4, -1, 0, 4, 0), -EINVAL);
    IS(SYS(SYS_wait4, -0x7fffffff - 1, 0, 0, 0), -ESRCH);
    IS(info_wait(P_PID, child, WEXITED | WNOHANG, &info), 0);
    IS(info.signo, 0);
    IS(info.pid, 0);
    SYS(SYS_kill, child, SIGSTOP);
    IS(info_wait(P_PID, child, WSTOPPED | WNOWAIT, &info), 0);
    IS(info.code, CLD_STOPPED);
    IS(info_wait(P_PID, child, WSTOPPED, &info), 0);
    IS(info.signo, SIGCHLD);
    IS(info.code, CLD_STOPPED);
    IS(info.status, SIGSTOP);
    IS(info.pid, child);
    IS(info_wait(P_PID, child, WSTOPPED | WNOHANG, &info), 0);
    IS(info.pid, 0);
    SYS(SYS_kill, child, SIGTERM); // held until it is continued
    IS(info_wait(P_PID, child, WEXITED | WNOHANG, &info), 0);
    IS(info.pid, 0);
    SYS(SYS_kill, child, SIGCONT);
    IS(info_wait(P_PID, child, WEXITED, &info), 0);
    IS(info.code, CLD_KILLED);
    IS(info.status, SIGTERM);
    child = fork_child(body_with_group);
    IS(info_wait(P_PID, child, WEXITED | WNOWAIT, &info), 0);
    IS(info_wait(P_PID, child, WSTOPPED | WNOHANG, &info), -ECHILD);
    IS(info_wait(P_ALL, 0, WEXITED, &info), 0);
    IS(info.code, CLD_EXITED);
    IS(info.status, 0);
    IS(info_wait(P_ALL, 0, WEXITED, &info), -ECHILD);
    // A stopped one that is killed is not continued first.
    child = fork_child(body_stays);
    SYS(SYS_kill, child, SIGSTOP);
    IS(info_wait(P_PID, child, WSTOPPED, &info), 0);
    SYS(SYS_kill, child, SIGKILL);
    IS(info_wait(P_PID, child, WEXITED | WCONTINUED, &info), 0);
    IS(info.code, CLD_KILLED);
}

static void test_clone_children(void) {
    long child = SYS(SYS_clone_call, 0, 0, 0, 0, 0);
    if (child == 0) linux_exit(4);
    IS(SYS(SYS_wait4, child, 0, 0, 0), -ECHILD);
    int status = 0;
    IS(SYS(SYS_wait4, child, &status, WCLONE, 0), child);
    IS(status, 4 << 8);
    child = SYS(SYS_clone_call, 0, 0, 0, 0, 0);
    if (child == 0) linux_exit(5);
    IS(SYS(SYS_wait4, -1, &status, WALL, 0), child);
    IS(status, 5 << 8);
}

static volatile int children_told, last_code;

static void on_child(int, struct siginfo *info, struct ucontext *) {
    children_told++;
    last_code = info->code;
}

// A wait may find a change before the signal for it has come.
static void told_await(int count) {
    while (children_told < count)
        SYS(SYS_sched_yield);
    IS(children_told, count);
}

static void test_child_told(void) {
    struct siginfo info;
    IS(handle(SIGCHLD, (void *)on_child, SA_RESTART), 0);
    long child = fork_child(body_stays);
    SYS(SYS_kill, child, SIGSTOP);
    IS(info_wait(P_PID, child, WSTOPPED, &info), 0);
    told_await(1);
    IS(last_code, CLD_STOPPED);
    SYS(SYS_kill, child, SIGCONT);
    IS(info_wait(P_PID, child, WCONTINUED, &info), 0);
    IS(info.code, CLD_CONTINUED);
    IS(info.status, SIGCONT);
    told_await(2);
    IS(handle(SIGCHLD, (void *)on_child, SA_NOCLDSTOP | SA_RESTART), 0);
    SYS(SYS_kill, child, SIGSTOP);
    IS(info_wait(P_PID, child, WSTOPPED, &info), 0);
    told_await(2);
    SYS(SYS_kill, child, SIGKILL);
    wait_status(child);
    told_await(3);
    // No zombies, but the signal.
    IS(handle(SIGCHLD, (void *)on_child, SA_NOCLDWAIT | SA_RESTART), 0);
    child = fork_child(body_stays);
    SYS(SYS_kill, child, SIGKILL);
    IS(SYS(SYS_wait4, child, 0, 0, 0), -ECHILD);
    told_await(4);
    IS(handle(SIGCHLD, 0, 0), 0);
}

// The middle one leads a group of its own; the last one is in another, and stopped.
static void on_hangup(int, struct siginfo *, struct ucontext *) { ready('h'); }

static int body_hangs(void) {
    handle(SIGHUP, (void *)on_hangup, 0);
    SYS(SYS_setpgid, 0, 0);
    ready('r');
    SYS(SYS_kill, self_pid(), SIGTSTP);
    ready('c');
    linux_exit(0);
}

static int body_middle(void) {
    int status;
    long child = fork_child(body_hangs);
    SYS(SYS_wait4, child, &status, WUNTRACED, 0);
    ready('0' + (status == (SIGTSTP << 8 | 0x7f)));
    linux_exit(0);
}

static int body_orphans(void) {
    // A session of its own: what orphans the group is seen in it alone.
    SYS(SYS_setsid);
    SYS(SYS_prctl, PR_SET_SUBREAPER, 0, 0, 0, 0);
    long middle = fork_child(body_middle);
    wait_status(middle);
    return 0;
}

static void test_orphaned_group(void) {
    int on = -1;
    IS(SYS(SYS_prctl, PR_SET_SUBREAPER, 1, 0, 0, 0), 0);
    IS(SYS(SYS_prctl, PR_GET_SUBREAPER, &on, 0, 0, 0), 0);
    IS(on, 1);
    long session = fork_child(body_orphans);
    IS(await(), 'r');
    IS(await(), '1');
    // Its parent gone, it is hung up and continued.
    IS(await(), 'h');
    IS(await(), 'c');
    wait_status(session);
    // The orphan has come to the subreaper.
    IS(SYS(SYS_wait4, -1, 0, 0, 0) > 0, true);
    IS(SYS(SYS_wait4, -1, 0, 0, 0), -ECHILD);
    IS(SYS(SYS_prctl, PR_SET_SUBREAPER, 0, 0, 0, 0), 0);
}

static int body_orphan_ignores_stop(void) {
    SYS(SYS_setsid);
    SYS(SYS_kill, self_pid(), SIGTTIN);
    SYS(SYS_kill, self_pid(), SIGTSTP);
    return 3;
}

static int body_dies_with_parent(void) {
    int signal = -1;
    SYS(SYS_prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    IS(SYS(SYS_prctl, PR_GET_PDEATHSIG, &signal, 0, 0, 0), 0);
    IS(signal, SIGTERM);
    ready('d');
    return body_stays();
}

static int body_parent(void) {
    fork_child(body_dies_with_parent);
    await();
    return 0;
}

static void test_parent_death(void) {
    int status = 0;
    IS(SYS(SYS_prctl, PR_SET_SUBREAPER, 1, 0, 0, 0), 0);
    IS(SYS(SYS_prctl, PR_SET_PDEATHSIG, 65, 0, 0, 0), -EINVAL);
    wait_status(fork_child(body_parent));
    IS(SYS(SYS_wait4, -1, &status, 0, 0) > 0, true);
    IS(status, SIGTERM);
    IS(SYS(SYS_prctl, PR_SET_SUBREAPER, 0, 0, 0, 0), 0);
}

static int body_other_user(void) {
    long parent = SYS(SYS_getppid);
    u64 limit[2];
    IS(SYS(SYS_setpriority, 0, 0, 5), 0);
    IS(SYS(SYS_setresuid, 12345, 12345, 12345), 0);
    IS(SYS(SYS_kill, parent, 0), -EPERM);
    IS(SYS(SYS_kill, parent, SIGCONT), 0); // of the same session
    IS(SYS(SYS_setpriority, 0, 0, 4), -EACCES);
    IS(SYS(SYS_setpriority, 0, 0, 7), 0);
    IS(SYS(SYS_getpriority, 0, 0), 13);
    IS(SYS(SYS_setpriority, 0, parent, 9), -EPERM);
    IS(SYS(SYS_prlimit, 0, RLIMIT_NPROC, 0, limit), 0);
    limit[0] = 0;
    IS(SYS(SYS_prlimit, 0, RLIMIT_NPROC, limit, 0), 0);
    IS(SYS(SYS_fork), -EAGAIN);
    limit[1] = 5;
    IS(SYS(SYS_prlimit, 0, RLIMIT_NPROC, limit, 0), 0);
    limit[1] = 6;
    IS(SYS(SYS_prlimit, 0, RLIMIT_NPROC, limit, 0), -EPERM);
    limit[0] = 7;
    IS(SYS(SYS_prlimit, 0, RLIMIT_NPROC, limit, 0), -EINVAL);
    return failures ? 1 : 0;
}

static int body_few_files(void) {
    u64 limit[2] = {5, 5};
    int ends[2];
    SYS(SYS_close, pipe_ends[0]);
    SYS(SYS_close, pipe_ends[1]);
    IS(SYS(SYS_prlimit, 0, RLIMIT_NOFILE, limit, 0), 0);
    IS(SYS(SYS_pipe, ends), 0);
    IS(SYS(SYS_pipe, ends), -EMFILE);
    IS(SYS(SYS_dup2, 0, 5), -EBADF);
    IS(SYS(SYS_fcntl, 0, 0, 5), -EINVAL);
    IS(SYS(SYS_close, 4), 0);
    IS(SYS(SYS_pipe, ends), -EMFILE);
    IS(SYS(SYS_fcntl, 0, 0, 4), 4);
    return failures ? 1 : 0;
}

static int program(long argc, char **argv) {
    (void)argc, (void)argv;
    IS(SYS(SYS_pipe, pipe_ends), 0);
    test_groups();
    test_wait_forms();
    test_clone_children();
    test_child_told();
    test_orphaned_group();
    IS(wait_status(fork_child(body_orphan_ignores_stop)), 3 << 8);
    test_parent_death();
    IS(wait_status(fork_child(body_few_files)), 0);
    if (SYS(SYS_getuid) == 0) IS(wait_status(fork_child(body_other_user)), 0);
    print(failures ? "jobs: failed\n" : "jobs: ok\n");
    return failures ? 1 : 0;
}

LINUX_PROGRAM(program)
