// The Linux x86-64 user interface: numbers and structures as programs know them (Linux 6.1 uapi).
// Nothing here is ours to choose.
#pragma once

#include "lib/types.h"

// Negative results of calls. The last four never reach a program: the signal code turns them into
// EINTR or a restart.
enum {
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EIO = 5,
    ENXIO = 6,
    E2BIG = 7,
    ENOEXEC = 8,
    EBADF = 9,
    ECHILD = 10,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    EXDEV = 18,
    ENODEV = 19,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    ENFILE = 23,
    EMFILE = 24,
    ENOTTY = 25,
    ETXTBSY = 26,
    EFBIG = 27,
    ENOSPC = 28,
    ESPIPE = 29,
    EROFS = 30,
    EMLINK = 31,
    EPIPE = 32,
    EDOM = 33,
    ERANGE = 34,
    EDEADLK = 35,
    ENAMETOOLONG = 36,
    ENOLCK = 37,
    ENOSYS = 38,
    ENOTEMPTY = 39,
    ELOOP = 40,
    ENODATA = 61,
    EOVERFLOW = 75,
    ENOTSOCK = 88,
    EOPNOTSUPP = 95,
    EAFNOSUPPORT = 97,
    ETIMEDOUT = 110,
    ERESTARTSYS = 512,    // restart if the handler has SA_RESTART or there is none, else EINTR
    ERESTARTNOINTR = 513, // restart in any case
    ERESTARTNOHAND = 514, // restart only if there is no handler
    ERESTART_RESTARTBLOCK = 516, // the same, by restart_syscall
};

enum {
    LINUX_PATH_MAX = 4096, // with the final zero
    LINUX_NAME_MAX = 255,
    LINUX_SYMLINKS_MAX = 40,
    LINUX_PIPE_BUF = 4096,
    LINUX_IOV_MAX = 1024,
};

// Types in st_mode.
enum {
    MODE_TYPE = 0170000,
    MODE_FIFO = 0010000,
    MODE_CHARACTER = 0020000,
    MODE_DIRECTORY = 0040000,
    MODE_BLOCK = 0060000,
    MODE_REGULAR = 0100000,
    MODE_LINK = 0120000,
    MODE_SOCKET = 0140000,
    MODE_PERMISSIONS = 07777,
    MODE_SET_UID = 04000,
    MODE_SET_GID = 02000,
    MODE_STICKY = 01000,
};

enum {
    SECBIT_NOROOT = 1,
    SECBIT_NO_SETUID_FIXUP = 4,
    SECBIT_KEEP_CAPS = 16,
    SECBIT_LOCKS = 0xaa,
    SECBIT_ALL = 0xff,
};

enum {
    O_ACCMODE = 3,
    O_RDONLY = 0,
    O_WRONLY = 1,
    O_RDWR = 2,
    O_CREAT = 0100,
    O_EXCL = 0200,
    O_NOCTTY = 0400,
    O_TRUNC = 01000,
    O_APPEND = 02000,
    O_NONBLOCK = 04000,
    O_LARGEFILE = 0100000,
    O_DIRECTORY = 0200000,
    O_NOFOLLOW = 0400000,
    O_NOATIME = 01000000,
    O_CLOEXEC = 02000000,
    O_PATH = 010000000,
    O_TMPFILE = 020000000, // comes with O_DIRECTORY
};

enum {
    AT_FDCWD = -100,
    AT_SYMLINK_NOFOLLOW = 0x100,
    AT_REMOVEDIR = 0x200,
    AT_EACCESS = 0x200,
    AT_SYMLINK_FOLLOW = 0x400,
    AT_EMPTY_PATH = 0x1000,
};

enum { FD_CLOEXEC = 1 };
enum {
    F_DUPFD = 0,
    F_GETFD = 1,
    F_SETFD = 2,
    F_GETFL = 3,
    F_SETFL = 4,
    F_GETLK = 5,
    F_SETLK = 6,
    F_SETLKW = 7,
    F_SETOWN = 8,
    F_GETOWN = 9,
    F_OFD_GETLK = 36,
    F_OFD_SETLK = 37,
    F_OFD_SETLKW = 38,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ = 1031,
    F_GETPIPE_SZ = 1032,
};
enum { SEEK_SET = 0, SEEK_CUR = 1, SEEK_END = 2, SEEK_DATA = 3, SEEK_HOLE = 4 };

enum {
    PROT_READ = 1,
    PROT_WRITE = 2,
    PROT_EXEC = 4,
    MAP_SHARED = 1,
    MAP_PRIVATE = 2,
    MAP_TYPE = 15,
    MAP_FIXED = 16,
    MAP_ANONYMOUS = 32,
    MAP_FIXED_NOREPLACE = 0x100000,
    MREMAP_MAYMOVE = 1,
    MREMAP_FIXED = 2,
    MADV_DONTNEED = 4,
    MADV_FREE = 8,
};

enum {
    POLLIN = 1,
    POLLPRI = 2,
    POLLOUT = 4,
    POLLERR = 8,
    POLLHUP = 16,
    POLLNVAL = 32,
    POLLRDNORM = 64,
    POLLWRNORM = 256,
};

enum {
    CLONE_VM = 0x100,
    CLONE_FS = 0x200,
    CLONE_FILES = 0x400,
    CLONE_SIGHAND = 0x800,
    CLONE_VFORK = 0x4000,
    CLONE_THREAD = 0x10000,
    CLONE_SETTLS = 0x80000,
    CLONE_PARENT_SETTID = 0x100000,
    CLONE_CHILD_CLEARTID = 0x200000,
    CLONE_CHILD_SETTID = 0x1000000,
};

enum {
    WNOHANG = 1,
    WUNTRACED = 2,
    WSTOPPED = 2,
    WEXITED = 4,
    WCONTINUED = 8,
    WNOWAIT = 0x1000000,
    WCLONE_CHILDREN = 0x80000000U,
    WALL_CHILDREN = 0x40000000,
    WCHILDREN_OPTIONS = 0xe0000000U,
    P_ALL = 0,
    P_PID = 1,
    P_PGID = 2,
};

enum {
    SIGHUP = 1,
    SIGINT = 2,
    SIGQUIT = 3,
    SIGILL = 4,
    SIGTRAP = 5,
    SIGABRT = 6,
    SIGBUS = 7,
    SIGFPE = 8,
    SIGKILL = 9,
    SIGUSR1 = 10,
    SIGSEGV = 11,
    SIGUSR2 = 12,
    SIGPIPE = 13,
    SIGALRM = 14,
    SIGTERM = 15,
    SIGSTKFLT = 16,
    SIGCHLD = 17,
    SIGCONT = 18,
    SIGSTOP = 19,
    SIGTSTP = 20,
    SIGTTIN = 21,
    SIGTTOU = 22,
    SIGURG = 23,
    SIGXCPU = 24,
    SIGXFSZ = 25,
    SIGVTALRM = 26,
    SIGPROF = 27,
    SIGWINCH = 28,
    SIGIO = 29,
    SIGPWR = 30,
    SIGSYS = 31,
    SIGNALS_MAX = 64,
};

enum { CALL_RESTART_SYSCALL = 219 };
enum { SIGEV_SIGNAL = 0, SIGEV_NONE = 1, SIGEV_THREAD = 2, SIGEV_THREAD_ID = 4 };
enum { SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2 };
enum : u64 { SIG_DFL = 0, SIG_IGN = 1 };
enum : u64 {
    SA_NOCLDSTOP = 1,
    SA_NOCLDWAIT = 2,
    SA_SIGINFO = 4,
    SA_RESTORER = 0x04000000,
    SA_ONSTACK = 0x08000000,
    SA_RESTART = 0x10000000,
    SA_NODEFER = 0x40000000,
    SA_RESETHAND = 0x80000000,
};
enum { SI_USER = 0, SI_KERNEL = 0x80, SI_TIMER = -2, SI_TKILL = -6 };
enum { SEGV_MAPERR = 1, SEGV_ACCERR = 2 };
enum {
    FPE_INTDIV = 1,
    FPE_FLTINV = 7,
    ILL_ILLOPN = 2,
    TRAP_TRACE = 2,
    BUS_ADRALN = 1,
    BUS_ADRERR = 2
};
enum { CLD_EXITED = 1, CLD_KILLED = 2, CLD_DUMPED = 3, CLD_STOPPED = 5, CLD_CONTINUED = 6 };
enum { SS_ONSTACK = 1, SS_DISABLE = 2, LINUX_MINSIGSTKSZ = 2048 };

enum {
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_EXECFN = 31,
    AT_SYSINFO_EHDR = 33,
};

enum {
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_PROCESS_CPUTIME = 2,
    CLOCK_THREAD_CPUTIME = 3,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_REALTIME_COARSE = 5,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    CLOCK_REALTIME_ALARM = 8,
    CLOCK_BOOTTIME_ALARM = 9,
    CLOCK_TAI = 11,
    TIMER_ABSTIME = 1,
};

enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_COMMAND = 0x7f,
    FUTEX_REALTIME = 256,
};

enum { TCGETS = 0x5401, TIOCGWINSZ = 0x5413, FIONREAD = 0x541b, FIONBIO = 0x5421 };
enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004 };
enum {
    DT_UNKNOWN = 0,
    DT_FIFO = 1,
    DT_CHR = 2,
    DT_DIR = 4,
    DT_BLK = 6,
    DT_REG = 8,
    DT_LNK = 10,
    DT_SOCK = 12
};

struct linux_timespec {
    i64 seconds;
    i64 nanoseconds;
};

struct linux_timeval {
    i64 seconds;
    i64 microseconds;
};

struct linux_flock {
    i16 type;
    i16 whence;
    i64 start;
    i64 length;
    i32 pid;
};
static_assert(sizeof(struct linux_flock) == 32);

struct linux_stat {
    u64 device;
    u64 ino;
    u64 nlink;
    u32 mode;
    u32 uid;
    u32 gid;
    u32 padding;
    u64 rdev;
    i64 size;
    i64 block_size;
    i64 blocks;
    struct linux_timespec atime;
    struct linux_timespec mtime;
    struct linux_timespec ctime;
    i64 unused[3];
};
static_assert(sizeof(struct linux_stat) == 144);

struct linux_statx_time {
    i64 seconds;
    u32 nanoseconds;
    i32 reserved;
};

struct linux_statx {
    u32 mask;
    u32 block_size;
    u64 attributes;
    u32 nlink;
    u32 uid;
    u32 gid;
    u16 mode;
    u16 spare;
    u64 ino;
    u64 size;
    u64 blocks;
    u64 attributes_mask;
    struct linux_statx_time atime;
    struct linux_statx_time btime;
    struct linux_statx_time ctime;
    struct linux_statx_time mtime;
    u32 rdev_major;
    u32 rdev_minor;
    u32 device_major;
    u32 device_minor;
    u64 spare2[14];
};
static_assert(sizeof(struct linux_statx) == 256);

struct linux_statfs {
    u64 type;
    u64 block_size;
    u64 blocks;
    u64 blocks_free;
    u64 blocks_available;
    u64 files;
    u64 files_free;
    u32 fsid[2];
    u64 name_max;
    u64 fragment_size;
    u64 flags;
    u64 spare[4];
};
static_assert(sizeof(struct linux_statfs) == 120);

struct linux_dirent64 {
    u64 ino;
    i64 offset;
    u16 size;
    u8 type;
    char name[];
} __attribute__((packed));

struct linux_iovec {
    u64 base;
    u64 size;
};

struct linux_pollfd {
    i32 fd;
    i16 events;
    i16 revents;
};

struct linux_sigaction {
    u64 handler;
    u64 flags;
    u64 restorer;
    u64 mask;
};

struct linux_stack {
    u64 pointer;
    i32 flags;
    i32 padding;
    u64 size;
};

struct linux_siginfo {
    i32 signo;
    i32 error;
    i32 code;
    i32 padding;
    union {
        struct {
            i32 pid;
            u32 uid;
            union {
                i32 status; // SIGCHLD
                u64 value;
            };
            u64 utime;
            u64 stime;
        } sender;
        u64 address;
        u8 bytes[112];
    };
};
static_assert(sizeof(struct linux_siginfo) == 128);

struct linux_sigcontext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15;
    u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 error, trap, old_mask, fault_address;
    u64 vector_state; // address of the XSAVE area
    u64 reserved[8];
};
static_assert(sizeof(struct linux_sigcontext) == 256);

struct linux_ucontext {
    u64 flags;
    u64 link;
    struct linux_stack stack;
    struct linux_sigcontext registers;
    u64 mask;
};

struct linux_signal_frame {
    u64 return_address;
    struct linux_ucontext context;
    struct linux_siginfo info;
};

struct linux_rlimit {
    u64 current;
    u64 maximum;
};

struct linux_utsname {
    char system[65];
    char node[65];
    char release[65];
    char version[65];
    char machine[65];
    char domain[65];
};

struct linux_sysinfo {
    i64 uptime;
    u64 loads[3];
    u64 memory_total;
    u64 memory_free;
    u64 memory_shared;
    u64 memory_buffers;
    u64 swap_total;
    u64 swap_free;
    u16 processes;
    u16 padding;
    u32 padding2;
    u64 high_total;
    u64 high_free;
    u32 unit;
    u32 padding3;
};
static_assert(sizeof(struct linux_sysinfo) == 112);

struct linux_rusage {
    struct linux_timeval user;
    struct linux_timeval system;
    i64 other[14];
};
