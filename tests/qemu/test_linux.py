"""The Linux interface: programs that pass on this machine's Linux pass in a container.

The programs have no C library and are small, so a container gets them on its command line.
"""

import base64
import gzip
import subprocess
from pathlib import Path

import pytest

from pybuild.bench import tools
from pybuild.command import Result, run_captured
from pybuild.machine import MachineConfig
from pybuild.paths import BUILD, ROOT

LOG = BUILD / "test" / "linux.log"
PROGRAMS = ROOT / "tests" / "linux"
HEADERS = [PROGRAMS / "check.h", *tools.HEADERS]
WAIT_SECONDS = 180


def shell(command: str, smp: int = 2) -> Result:
    """Boots and gives the shell a command."""
    return run_captured(MachineConfig(smp=smp, log=LOG), command, WAIT_SECONDS)


def program_build(name: str) -> Path:
    """The static Linux program tests/linux/NAME.c."""
    out = BUILD / "test" / "linux" / Path(name).name
    flags = [*tools.PROGRAM_FLAGS, "-Wno-unused-function"]
    return tools.compile_to(out, PROGRAMS / f"{name}.c", HEADERS, flags)


def script_of(program: Path, arguments: str = "") -> str:
    """A shell script that carries the program, and runs it."""
    packed = base64.b64encode(gzip.compress(program.read_bytes(), 9)).decode()
    return f"echo {packed} | base64 -d | gunzip > /tmp/t; chmod +x /tmp/t; exec /tmp/t {arguments}"


@pytest.mark.parametrize("smp", [1, 2])
@pytest.mark.parametrize("name", sorted(path.stem for path in PROGRAMS.glob("*.c")))
def test_program(name: str, smp: int) -> None:
    """A program that checks system calls prints `NAME: ok` here and in a container."""
    program = program_build(name)
    expected = f"{name}: ok\n".encode()
    here = subprocess.run([str(program)], capture_output=True, timeout=60, check=False)
    assert (here.returncode, here.stdout) == (0, expected)
    result = shell(f"run --rm busybox sh -c '{script_of(program)}'", smp)
    assert (result.status, result.out) == (0, expected), result.err.decode()


# A script for busybox's shell, and what it prints. No single quotes: they are around the script.
SCRIPTS = {
    "echo a; echo b | cat": "a\nb\n",
    "seq 1 1000 | tail -1": "1000\n",
    "yes | head -3": "y\ny\ny\n",
    'printf "%s\\n" c a b | sort | xargs echo': "a b c\n",
    "cd /tmp; pwd; echo hi > x; cat x; rm x; ls | wc -l": "/tmp\nhi\n0\n",
    "readlink /proc/self/exe": "/bin/busybox\n",
    "cmp /bin/busybox /bin/ls && echo same": "same\n",
    "cp /bin/busybox /tmp/busybox; /tmp/busybox echo copy": "copy\n",
    "ls -l /bin/ls | sed s/.*-.//": " busybox\n",
    "gzip -c /etc/passwd | gunzip | grep -c root": "1\n",
    'trap "echo caught" USR1; kill -USR1 $$; echo after': "caught\nafter\n",
    "sleep 5 & kill $!; wait $!; echo $?": "143\n",
    "(exit 3); echo $?": "3\n",
    "timeout 1 sleep 9; echo $?": "143\n",
    "x=$(echo $(echo deep)); echo $x": "deep\n",
    "while read l; do echo $l | cut -d: -f1; done < /etc/passwd": "root\n",
    "ln -s /etc /tmp/e; cat /tmp/e/passwd | wc -l": "1\n",
    "ln -s b /tmp/a; ln -s a /tmp/b; cat /tmp/a 2>&1": (
        "cat: can't open '/tmp/a': Too many levels of symbolic links\n"
    ),
    "echo x > /etc/x; rm /etc/group; ls /etc": "passwd\nx\n",
    "sed -i s/root/toor/ /etc/passwd; cat /etc/passwd": "toor:x:0:0:root:/root:/bin/sh\n",
    "mv /etc /e; ls /e; mkdir /etc; ls /etc | wc -l": "group\npasswd\n0\n",
    "rm -r /bin/l* /root; ls / | tr \\\\n .": "bin.dev.etc.proc.tmp.",
    "cp /bin/busybox /bin/busybox2; busybox2 echo copy": "copy\n",
    "cat /nothing 2>&1": "cat: can't open '/nothing': No such file or directory\n",
    "cat /etc/passwd/x 2>&1": "cat: can't open '/etc/passwd/x': Not a directory\n",
    "/etc/passwd; echo $?": "126\n",
    "nothing 2>/dev/null; echo $?": "127\n",
    "echo $(ls /bin | wc -l) | grep -c ...": "1\n",
    "dd if=/dev/zero bs=1000 count=100 2>/dev/null | wc -c": "100000\n",
    "echo full > /dev/full 2>/dev/null || echo refused": "refused\n",
    "head -c 100 /dev/urandom | wc -c": "100\n",
    "ps | head -1 | grep -c PID": "1\n",
    "tar cf - /etc 2>/dev/null | tar tf -": "etc/\netc/group\netc/passwd\n",
    "find / -xdev -name passwd": "/bin/passwd\n/etc/passwd\n",
    "exec 3> /tmp/f; echo three >&3; exec 3>&-; cat /tmp/f": "three\n",
    "set -- a b c; shift; echo $# $1": "2 b\n",
    "echo $((7 * 6))": "42\n",
    "mount | grep -c tmpfs": "1\n",
    "mount | head -1": "overlay on / type overlay (rw,relatime)\n",
    "uname -s -m": "Linux x86_64\n",
    "id -u": "0\n",
    "ulimit -n": "1024\n",
    "kill -9 1; echo alive": "alive\n",
    "exec 3< /etc/passwd; readlink /proc/$$/fd/3": "/etc/passwd\n",
    'cut -d " " -f 2,3 /proc/self/stat': "(cut) R\n",
    # Until its exec it has the shell's name.
    "sleep 9 & cd /proc/$!; while grep -q sh comm; do :; done; cat task/*/comm; kill $!": "sleep\n",
    "cat /proc/sys/kernel/ostype": "Linux\n",
    "grep -c /bin/busybox /proc/self/maps": "5\n",
}


def test_scripts() -> None:
    """What busybox's shell and applets print, each in a container of its own."""
    table = list(SCRIPTS.items())
    separator = "-----next-----"
    runs = [f"run --rm busybox sh -c '{script}'" for script, _ in table]
    result = shell(f"; run --rm busybox echo {separator}; ".join(runs))
    printed = result.out.decode().split(separator + "\n")
    found = list(zip([script for script, _ in table], printed, strict=False))
    assert found == table, result.err.decode()


def test_an_unknown_call_is_named_in_the_log() -> None:
    """ENOSYS comes with a line that names the call."""
    program = program_build("memory")
    shell(f"run --rm busybox sh -c '{script_of(program)}'")
    assert "unknown system call 9999" in LOG.read_text(errors="replace")


def test_trace() -> None:
    """`run --trace` shows each call with its arguments by name, and ends of processes."""
    result = shell("run --rm --trace busybox sh -c 'cat /nothing | cat; exit 3'")
    lines = result.err.decode().splitlines()
    assert result.status == 3, result.err.decode()
    wanted = [
        '[pid 2] openat(AT_FDCWD, "/nothing", O_RDONLY, 0) = -1 ENOENT',
        "[pid 1] +++ exited with 3 +++",
        "[pid 1] exit_group(3) = ?",
    ]
    assert [line for line in wanted if line not in lines] == []
    assert any(line.startswith("[pid 1] pipe2([3, 4], 0) = 0") for line in lines)
    assert any(line.startswith("[pid 1] --- SIGCHLD {si_code=1, si_pid=") for line in lines)


def random_calls(seeds: range) -> Result:
    """Runs random system calls, a container for each seed; the last one's status counts."""
    program = program_build("hostile/random_calls")
    runs = [f"run --rm busybox sh -c '{script_of(program, str(seed))}'" for seed in seeds]
    return shell("; ".join(runs), smp=2)


def test_random_calls() -> None:
    """The personality outlives whatever a program asks of it."""
    result = random_calls(range(1, 4))
    assert (result.status, result.out) == (0, b"random_calls: ok\n" * 3), result.err.decode()


@pytest.mark.long
def test_many_random_calls() -> None:
    """The same with other seeds."""
    result = random_calls(range(100, 112))
    assert (result.status, result.out) == (0, b"random_calls: ok\n" * 12), result.err.decode()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("x=xxxxxxxxxxxxxxxx; while true; do x=$x$x; done", "out of memory"),
        ("dd if=/dev/zero of=/tmp/big bs=65536 count=4000", ""),
        ("f() { f | f & }; f; sleep 1", ""),
    ],
)
def test_a_greedy_container_hits_its_own_limit(script: str, said: str) -> None:
    """Memory, files in memory, processes: the container ends or gets errors, others run on."""
    result = shell(f"run --rm busybox sh -c '{script}'; run --rm busybox echo alive")
    assert (result.status, result.out) == (0, b"alive\n")
    assert said in LOG.read_text(errors="replace")
    assert b"crashed" not in result.err
