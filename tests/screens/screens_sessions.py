"""What is typed, and what is waited for before the next is. Screens are compared at each step."""

from dataclasses import dataclass, field

PROMPT = r"# \n\[cursor"
ANY = "cursor"
SILENCE = ""  # nothing is to come, or not for sure
CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
CTRL_Q, CTRL_R, CTRL_S, CTRL_U, CTRL_V = b"\x11", b"\x12", b"\x13", b"\x15", b"\x16"
CTRL_W, CTRL_Z, CTRL_QUIT, ERASE, ESCAPE = b"\x17", b"\x1a", b"\x1c", b"\x7f", b"\x1b"
UP, DOWN, RIGHT, LEFT = b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D"


# cat would do, but Linux may keep what its sendfile has read from a terminal until there is more.
COPY = "dd bs=999 2>/dev/null"
LINES = "while read x; do echo $x; done"


@dataclass(frozen=True)
class Step:
    """Types `send`, or makes the window `size`; waits until the screen matches `until`."""

    send: bytes = b""
    until: str = PROMPT
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Session:
    """A shell in which things are done."""

    name: str
    steps: list[Step] = field(default_factory=list)


def run(command: str, until: str = PROMPT) -> Step:
    """A command of the shell."""
    return Step(command.encode() + b"\r", until)


def keys(text: bytes) -> list[Step]:
    """One after the other: less has the terminal in its usual mode between two reads."""
    return [Step(bytes([key]), ANY) for key in text]


SESSIONS = [
    Session(
        "the shell's line editor",
        [
            run("echo one two"),
            Step(b"echo abd" + ERASE + b"c", "abc"),
            Step(LEFT + LEFT + b"XY", "aXYbc"),
            Step(CTRL_A + b"# ", "# echo"),
            Step(CTRL_E + b" end", "end"),
            Step(CTRL_W, r"aXYbc \n\["),
            Step(CTRL_U, PROMPT),
            Step(UP, "# echo one two\n.*cursor"),
            Step(b"\r"),
            Step(b"echo " + b"long " * 30, "(long ){4}\n"),
            Step(CTRL_A + b"true; " + CTRL_E + ERASE + b"er", "longer"),
            Step(b"\r"),
            Step(b"ech\t", "echo"),
            Step(CTRL_C),
        ],
    ),
    Session(
        "lines of the terminal itself",
        [
            run(COPY, r"null\n\["),
            Step(b"abc" + ERASE + b"d\r", "abd\nabd"),
            Step(b"one two  three" + CTRL_W + b"four\r", "two  four\none"),
            Step(b"nothing" + CTRL_U + b"all\r", "all\nall"),
            Step(b"a\tb\tc" + ERASE * 4 + b"x\r", "ax\nax"),
            Step(CTRL_V + CTRL_C + CTRL_V + CTRL_D + b"\r", r"\^C\^D"),
            Step(b"re" + CTRL_R + b"print\r", r"re\^R\nreprint\nreprint"),
            Step(b"part" + CTRL_D, "partpart"),
            Step(b"\r", r"partpart\n"),
            Step(CTRL_D),
            run("stty -echo; read x; stty echo; echo got $x", r"got \$x\n\["),
            Step(b"secret\r", "got secret"),
            run("stty -icanon min 3; dd bs=3 count=1 2>/dev/null; stty icanon", r"icanon\n\["),
            Step(b"xyz", "xyzxyz"),
            Step(b"\r"),
            run("stty -ixon -icrnl; stty ixon icrnl; stty -a | grep -c intr", "^1$"),
            run("stty -a | grep intr"),
            run("stty -a | grep eol"),
            run("stty -a | grep icanon"),
            run("stty -a | grep opost"),
            run("stty size"),
        ],
    ),
    Session(
        "signals from keys",
        [
            run("sleep 100", r"100\n\["),
            Step(CTRL_C),
            run("echo $?", "130"),
            run("sleep 100", r"100\n\[(.|\n)*"),
            Step(CTRL_QUIT),
            run("echo $?", "131"),
            run("trap 'echo trapped' INT; read x; echo after $?", r"\$\?\n\["),
            Step(CTRL_C, "trapped"),
            Step(b"\r"),
            run("sh -c 'trap \"\" INT; sleep 1; echo immune'", r"'\n\["),
            Step(CTRL_C, r"\^Cimmune"),
            run("yes | head -2000 > /dev/null; echo piped", "^piped"),
            run("cat /dev/zero > /dev/null", r"null\n\[(.|\n)*"),
            Step(CTRL_C),
        ],
    ),
    Session(
        "jobs",
        [
            run("sleep 100", r"100\n\["),
            Step(CTRL_Z, "Stopped"),
            run("jobs", "Stopped(.|\n)*Stopped"),
            run("bg"),
            run("jobs", "Running"),
            run("fg", r"fg\nsleep 100\n"),
            Step(CTRL_C),
            run("jobs"),
            run(f"{LINES} | {LINES}", r"done\n\["),
            Step(b"through\r", "through\nthrough"),
            Step(CTRL_Z, "Stopped"),
            run("fg", r"fg\n"),
            Step(b"again\r", "again\nagain"),
            Step(CTRL_D),
            run("clear"),
            run("cat & sleep 0.5; echo slept", "^slept"),
            run("", "Stopped"),
            run("kill %1; fg", "Terminated"),
            run("sleep 0.2 & wait; echo waited", "^waited"),
            run(
                "stty tostop; sh -c 'echo from behind' & sleep 0.5; echo slept",
                "^slept(.|\n)*slept",
            ),
            run("", "Stopped"),
            run("stty -tostop; fg", "from behind\n"),
            run("clear"),
            run("sleep 100 &"),
            run("kill -STOP %1; sleep 0.3; echo slept", "^slept"),
            run("", "Stopped"),
            run("kill -CONT %1; jobs", "jobs\n.*Stopped"),
            run("kill %1; sleep 0.3; echo slept", "^slept(.|\n)*slept"),
            run("", "Terminated"),
            run("clear; sh"),
            run("sleep 100", r"100\n\["),
            Step(CTRL_Z, "Stopped"),
            run("exit", "stopped jobs"),
            run("exit"),
        ],
    ),
    Session(
        "what asks and waits",
        [
            run("cat <<end", r"^> \n\["),
            Step(b"a line\r", r"a line\n> \n\["),
            Step(b"end\r"),
            run("for i in 1 2", r"^> \n\["),
            Step(b"do echo $i; done\r", "^2$"),
            run("read -n 1 -p 'key? ' x", r"key\? \n\["),
            Step(b"k"),
            run("echo; echo $x", "^k$"),
            run("read -s -p 'word? ' x", r"word\? \n\["),
            Step(b"hidden\r", "# "),
            run("echo; echo $x", "^hidden$"),
            run("read -t 1 x; echo late $?", "late 1"),
            run("clear; cd /etc; cat pass\t"),
            run("cp -i passwd /tmp/p; cp -i group /tmp/p", r"\? \n\["),
            Step(b"n\r"),
            run("rm -i /tmp/p", r"\? \n\["),
            Step(b"y\r"),
            run("ls /tmp; cd /"),
            run("setsid sh -c 'read x < /dev/tty; echo $?' 2>&1; sleep 2; echo done", "^done"),
            run("sh -c 'tty > /dev/null; echo $?' < /dev/null", "^1$"),
            run("(sleep 1; echo behind) & echo before", "before"),
            Step(b"typed", "behind"),
            Step(b"\x0c", r"\A/ # typed"),
            Step(CTRL_C),
        ],
    ),
    Session(
        "vi",
        [
            run("cd /tmp; vi file", r"^~(.|\n)*file"),
            Step(b"ifirst line\rsecond line\rthird", "third"),
            Step(ESCAPE, "- file"),
            Step(b"kdd", "first line\nthird"),
            Step(b"P", "second line"),
            Step(b"x", "econd line"),
            Step(b"u", "second line"),
            Step(b"Oabove" + ESCAPE, "above"),
            Step(b"/third\r", "third"),
            Step(b"A and more" + ESCAPE, "and more"),
            Step(b"yyp", "and more\nthird and more"),
            Step(b":s/third/last/\r", "last and more"),
            Step(b"1G", "first line"),
            Step(b":w\r", "written|[0-9]+C|5L"),
            Step(size=(30, 100), until="first line"),
            Step(b"G", "last and more"),
            Step(size=(24, 80), until="first line"),
            Step(b"ZZ"),
            run("clear; cat file", "last and more"),
            run("vi file", "first line"),
            Step(CTRL_Z, "Stopped"),
            run("fg", "first line"),
            Step(b"ix" + ESCAPE, "xfirst"),
            Step(b":q\r", "[Nn]o write|changed|unsaved"),
            Step(b":q!\r"),
            run("rm file; cd /; clear"),
        ],
    ),
    Session(
        "less",
        [
            run("seq 1 200 | less", "^23$"),
            Step(b" ", "^46$"),
            Step(b"b", "^1$"),
            *keys(b"/50"),
            Step(b"\r", r"\A50$"),
            Step(b"G", "^200$"),
            Step(b"k", ANY),
            Step(b"g", "^1$"),
            *keys(b"jjj"),
            Step(b"q"),
            run("clear"),
            run("seq 1 200 > /tmp/s; less -N /tmp/s", "23 23"),
            Step(b"q"),
            run("clear; more /tmp/s", "More"),
            Step(b" ", "More(.|\n)*"),
            Step(b"q"),
            run("clear"),
        ],
    ),
    Session(
        "another size",
        [
            run("trap 'echo changed' WINCH; stty size", "24 80"),
            Step(size=(30, 100), until="# "),
            run("true", "changed"),
            run("stty size", "30 100"),
            run("sh -c 'trap \"stty size; exit\" WINCH; while true; do sleep 0.1; done'", r"'\n\["),
            Step(size=(20, 60), until="20 60"),
            run("stty rows 24 cols 80; stty size", "24 80"),
        ],
    ),
    Session(
        "flow",
        [
            run(COPY, r"null\n\["),
            Step(CTRL_S + b"hidden\r", SILENCE),
            Step(CTRL_Q, "hidden\nhidden"),
            Step(CTRL_D),
        ],
    ),
]
