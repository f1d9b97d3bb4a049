"""A program that takes QEMU's command line and plays a machine, for tests of the harness.

The mode is the first word of `-append`; console, channel and QMP are the sockets passed as
`-chardev socket,id=NAME,fd=N`, as QEMU takes them.
"""

import json
import re
import socket
import sys
import threading
import time


def ends() -> dict[str, socket.socket]:
    """The sockets by name."""
    found = re.findall(r"socket,id=(\w+),fd=(\d+)", " ".join(sys.argv))
    return {name: socket.socket(fileno=int(fd)) for name, fd in found}


def serve_qmp(qmp: socket.socket) -> None:
    """Greets; then a thread answers each command with its own name."""
    version = {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": "fake"}
    greeting = {"QMP": {"version": version, "capabilities": []}}
    qmp.sendall(json.dumps(greeting).encode() + b"\r\n")

    def answer() -> None:
        while data := qmp.recv(65536):
            command = json.loads(data)
            reply = {"return": {"command": command["execute"]}}
            reply |= {key: command[key] for key in command if key == "id"}
            qmp.sendall(json.dumps(reply).encode() + b"\r\n")

    threading.Thread(target=answer, daemon=True).start()


def read_command(channel: socket.socket) -> bytes:
    """The command that the host gives."""
    stream = channel.makefile("rb")
    size = int(stream.readline().split()[1])
    return stream.read(size)


def main() -> None:
    """Plays the machine that the mode names."""
    mode = sys.argv[sys.argv.index("-append") + 1].split()[0]
    if mode == "refuse":
        sys.exit("fake-qemu: no such machine")
    sockets = ends()
    serve_qmp(sockets["qmp"])
    console, channel = sockets["console"], sockets["channel"]
    console.sendall(b"Cloister boots\n")
    if mode == "panic":
        console.sendall(b"PANIC: out of tea\n  at kettle.c:3\n")
        time.sleep(60)
    if mode == "die":
        sys.exit(1)
    if mode == "silent":
        time.sleep(60)
    if mode == "garbage":
        channel.sendall(b"what is this\n")
        time.sleep(60)
    channel.sendall(b"READY 1\n")
    command = read_command(channel)
    for kind, data in (("O", command), ("E", b"complaint\n")):
        frame = f"{kind} {len(data)}\n".encode() + data
        for start in range(0, len(frame), 1000):
            channel.sendall(frame[start : start + 1000])
    channel.sendall(b"S 7\n")


main()
