"""The fuzzer over the personality's system calls: its table of calls, building and running it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from test_personality import CLANG, LIBRARY, NATIVE_ONLY, UNSET, generate

from pybuild import fuzzer, linuxabi
from pybuild.paths import BUILD, ROOT

CORPUS = ROOT / "tests" / "fuzz" / "calls.corpus"  # a script a line, in base64
# Those that end or replace the process, make others, set clocks and timers going, or would let it
# wait, with the signal taken or blocked that ends every wait.
LEFT_OUT = {
    *("exit", "exit_group", "execve", "fork", "vfork", "clone", "rt_sigreturn", "restart_syscall"),
    *("alarm", "setitimer", "timer_create", "timer_settime", "timer_delete"),
    *("settimeofday", "clock_settime"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigsuspend", "rt_sigtimedwait"),
    *("ppoll", "pselect6"),
}
# The fuzzer's own Linux memory; what references.c has in itself.
REPLACED = ("copy", "mount", "tmpfs_lower")
CALLS = re.compile(r"^calls: (\d+) made, (\d+) without an error$", re.MULTILINE)
KINDS = {"ptr": "p", "i32": "d", "usize": "s"}


def table_text() -> str:
    """The header with the calls that are fuzzed, and a letter for the type of each argument."""
    calls, _ = linuxabi.parse(ROOT / "userland" / "linux" / "abi" / "x86_64.toml")
    fuzzed = [call for call in calls if call.name not in LEFT_OUT]
    rows = "".join(
        f'    {{{call.number}, "{"".join(KINDS.get(kind, "n") for kind, _ in call.args)}"}},\n'
        for call in fuzzed
    )
    return (
        "struct fuzzed_call {\n    unsigned number;\n    const char *kinds;\n};\n"
        f"enum {{ FUZZED_CALLS = {len(fuzzed)} }};\n"
        f"static const struct fuzzed_call fuzzed_calls[] = {{\n{rows}}};\n"
    )


def build(folder: Path) -> Path:
    """Build the fuzzer in `folder`."""
    assert CLANG is not None
    generated = generate(folder / "gen")
    (generated / "fuzz_calls_table.h").write_text(table_text())
    personality = ROOT / "userland" / "linux"
    left_out = {*NATIVE_ONLY, *REPLACED}
    sources = [
        *(p for p in sorted(personality.rglob("*.c")) if p.stem not in left_out),
        *(ROOT / "userland" / "lib" / f"{name}.c" for name in LIBRARY),
        generated / "linux" / "dispatch.c",
        ROOT / "tests" / "host" / "fake_kernel.c",
        ROOT / "tests" / "fuzz" / "fuzz_calls.c",
        ROOT / "tests" / "fuzz" / "references.c",
    ]
    includes = [ROOT / "userland", generated, ROOT / "tests" / "host", ROOT / "tests" / "fuzz"]
    flags = ["-std=gnu23", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-pthread", *UNSET]
    flags += ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
    program = folder / "fuzz_calls"
    command = [CLANG, *flags, *(f"-I{path}" for path in includes), *map(str, sources)]
    subprocess.run([*command, "-o", str(program)], check=True, timeout=300)
    return program


def run(program: Path, folder: Path, seconds: int) -> None:
    """Fuzz for so long, starting from the saved corpus; AssertionError with what was found."""
    image = folder / "busybox.erofs"
    image.write_bytes((BUILD / "images" / "busybox.img").read_bytes()[:-4096])
    new = folder / "corpus"
    number_of_seeds = fuzzer.corpus_read(CORPUS, new)
    command = [str(program), "-max_len=1000", "-timeout=20", "-detect_leaks=0", str(new)]
    done = fuzzer.run(
        command, seconds, seeds=number_of_seeds, cwd=folder, env={"FUZZ_IMAGE": str(image)}
    )
    made, passed = map(int, CALLS.findall(done)[-1])
    assert made >= number_of_seeds and passed * 20 >= made, f"{made} calls, {passed} passed"
