// The terminal interface of Linux x86-64: settings, window sizes, requests. Nothing here is ours to
// choose.
#pragma once

#include "lib/types.h"

enum {
    LINUX_NCCS = 19,
    VINTR = 0,
    VQUIT = 1,
    VERASE = 2,
    VKILL = 3,
    VEOF = 4,
    VTIME = 5,
    VMIN = 6,
    VSTART = 8,
    VSTOP = 9,
    VSUSP = 10,
    VEOL = 11,
    VREPRINT = 12,
    VDISCARD = 13,
    VWERASE = 14,
    VLNEXT = 15,
    VEOL2 = 16,
};

// A control character that is this is none.
enum : u8 { CONTROL_DISABLED = 0 };

enum : u32 {
    // Input.
    ISTRIP = 0x20,
    INLCR = 0x40,
    IGNCR = 0x80,
    ICRNL = 0x100,
    IUCLC = 0x200,
    IXON = 0x400,
    IXANY = 0x800,
    IMAXBEL = 0x2000,
    IUTF8 = 0x4000,
    PARMRK = 0x8,
    // Output.
    OPOST = 0x1,
    OLCUC = 0x2,
    ONLCR = 0x4,
    OCRNL = 0x8,
    ONOCR = 0x10,
    ONLRET = 0x20,
    TABDLY = 0x1800,
    XTABS = 0x1800,
    // Line.
    B38400 = 0xf,
    CS8 = 0x30,
    CREAD = 0x80,
    // Local.
    ISIG = 0x1,
    ICANON = 0x2,
    ECHO = 0x8,
    ECHOE = 0x10,
    ECHOK = 0x20,
    ECHONL = 0x40,
    NOFLSH = 0x80,
    TOSTOP = 0x100,
    ECHOCTL = 0x200,
    ECHOPRT = 0x400,
    ECHOKE = 0x800,
    IEXTEN = 0x8000,
    EXTPROC = 0x10000,
};

// What TCGETS gives is this without the speeds, TCGETS2 all of it.
struct linux_termios {
    u32 input;
    u32 output;
    u32 control;
    u32 local;
    u8 line;
    u8 characters[LINUX_NCCS];
    u32 input_speed;
    u32 output_speed;
};
static_assert(sizeof(struct linux_termios) == 44);
enum { LINUX_TERMIOS_BYTES = 36 };

// The older form, of TCGETA.
struct linux_termio {
    u16 input;
    u16 output;
    u16 control;
    u16 local;
    u8 line;
    u8 characters[8];
    u8 padding;
};
static_assert(sizeof(struct linux_termio) == 18);

struct linux_winsize {
    u16 rows;
    u16 columns;
    u16 width;
    u16 height;
};

enum : u32 {
    TCSETS = 0x5402,
    TCSETSW = 0x5403,
    TCSETSF = 0x5404,
    TCGETA = 0x5405,
    TCSETA = 0x5406,
    TCSETAW = 0x5407,
    TCSETAF = 0x5408,
    TCSBRK = 0x5409,
    TCXONC = 0x540a,
    TCFLSH = 0x540b,
    TIOCEXCL = 0x540c,
    TIOCNXCL = 0x540d,
    TIOCSCTTY = 0x540e,
    TIOCGPGRP = 0x540f,
    TIOCSPGRP = 0x5410,
    TIOCOUTQ = 0x5411,
    TIOCSTI = 0x5412,
    TIOCSWINSZ = 0x5414,
    TIOCNOTTY = 0x5422,
    TIOCSETD = 0x5423,
    TIOCGETD = 0x5424,
    TCSBRKP = 0x5425,
    TIOCGSID = 0x5429,
    TCGETS2 = 0x802c542a,
    TCSETS2 = 0x402c542b,
    TCSETSW2 = 0x402c542c,
    TCSETSF2 = 0x402c542d,
    TIOCGPTN = 0x80045430,
    TIOCSPTLCK = 0x40045431,
    TIOCGPTLCK = 0x80045439,
    TIOCGPTPEER = 0x5441,
};

enum { TCIFLUSH = 0, TCOFLUSH = 1, TCIOFLUSH = 2 };
enum { TCOOFF = 0, TCOON = 1, TCIOFF = 2, TCION = 3 };
