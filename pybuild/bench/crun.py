"""The peer's containers: `crun` on Debian's kernel, confined as a careful operator does it.

crun, its libraries and the default seccomp profile come from Debian packages, which are downloaded
into build/cache and unpacked into an initramfs: nothing of them is installed or committed. For each
container the initramfs has a bundle (`bundles/NAME/config.json`) and a root of its own
(`roots/NAME`); tests/bench/crun_init.sh is the first process, and starts them. /data of each is a
folder on a virtio disk, whose modules come from the kernel's package.
"""

import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybuild import images
from pybuild.alone import alone
from pybuild.bench import linux
from pybuild.bench.guest import Guest, guest_start
from pybuild.bench.tools import OUT, PROGRAMS, BenchError, run_checked

RUNTIME_PACKAGES = [
    *("crun", "libc6", "libcap2", "libseccomp2", "libsystemd0", "libyajl2", "libgcrypt20"),
    *("liblz4-1", "liblzma5", "libzstd1", "libgpg-error0"),
]
PROFILE_PACKAGE = "golang-github-containers-common"
PROFILE = "usr/share/containers/seccomp.json"
INIT = PROGRAMS / "crun_init.sh"
# The base of the 65,536 user ids that a container's own are mapped to; each has others.
ID_BASE = 100_000
ID_COUNT = 65_536
MEMORY_BYTES = 64 << 20
TEMPORARY_BYTES = 32 << 20
TEMPORARY_INODES = 16_384
PIDS = 128
WAIT_SECONDS = 600
CPU_PERIOD_US = 100_000
DISK_BYTES = 256 << 20
# Of each container, and at the disk that virtio_blk's first number is.
IO_MAX = "254:0 rbps=16777216 wbps=16777216 riops=1000 wiops=1000"
# In the order in which they need one another.
MODULES = [
    *("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"),
    "virtio_blk",
]
# What Docker leaves to a container.
CAPABILITIES = [
    f"CAP_{name}"
    for name in [
        *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"),
        *("SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
    ]
]
# A container that says what holds it, and what it says: filtered (2), not root outside, limited.
CONFINED_WORDS = [
    *("sh", "-c"),
    "grep ^Seccomp: /proc/self/status; cat /proc/self/uid_map;"
    " cd /sys/fs/cgroup; cat memory.max pids.max cpu.max cpu.max.burst cpu.weight io.max;"
    " grep data /proc/mounts",
]
CONFINED = (
    rf"Seccomp:\s+2\s+0\s+[1-9]\d{{5}}\s+{ID_COUNT}\s+{MEMORY_BYTES}\s+{PIDS}"
    rf"\s+[12]00000\s+{CPU_PERIOD_US}\s+{CPU_PERIOD_US}\s+100\s+{IO_MAX}\s+/dev/vda /data ext4 "
)
ACTION_KEYS = ("names", "action", "errnoRet")
ARGUMENT_KEYS = ("index", "value", "valueTwo", "op")


@dataclass(frozen=True)
class Container:
    """What runs in a container of the peer, with which weight, and on how many CPUs at once."""

    words: list[str]
    weight: int = 100
    cpus: int = 1


def package_unpack(package: str, into: Path) -> None:
    """A package's files below `into`; downloaded once."""
    file = images.package_file(package)
    with alone(file):
        if not file.exists():
            images.package_download(package)
    run_checked(["dpkg-deb", "-x", str(file), str(into)])


def rule_holds(rule: dict[str, Any]) -> bool:
    """Whether a rule of the profile is for this architecture and these capabilities."""
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if not set(includes.get("caps", [])) <= set(CAPABILITIES):
        return False
    if includes.get("arches") and "amd64" not in includes["arches"]:
        return False
    if "amd64" in excludes.get("arches", []):
        return False
    return not set(excludes.get("caps", [])) & set(CAPABILITIES)


def rule_as_oci(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule of the profile as the OCI specification wants it."""
    found = {key: rule[key] for key in ACTION_KEYS if key in rule}
    arguments = [
        {key: argument[key] for key in ARGUMENT_KEYS} for argument in rule.get("args") or []
    ]
    return found | ({"args": arguments} if arguments else {})


def seccomp_oci(profile: dict[str, Any]) -> dict[str, Any]:
    """The profile that Podman and Docker share, resolved as they do it: what OCI has no word for
    (rules for some capabilities or architectures only) is decided here.
    """
    machine = next(a for a in profile["archMap"] if a["architecture"] == "SCMP_ARCH_X86_64")
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": [machine["architecture"], *machine["subArchitectures"]],
        "syscalls": [rule_as_oci(rule) for rule in profile["syscalls"] if rule_holds(rule)],
    }


def mounts(name: str) -> list[dict[str, Any]]:
    """What is mounted in a container; what it can write to has an end."""
    plain = ["nosuid", "noexec", "nodev"]
    temporary = [f"size={TEMPORARY_BYTES}", f"nr_inodes={TEMPORARY_INODES}", "mode=1777"]
    listed = [
        ("/proc", "proc", "proc", plain),
        ("/dev", "tmpfs", "tmpfs", ["nosuid", "mode=755", "size=65536"]),
        ("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666"]),
        ("/tmp", "tmpfs", "tmpfs", ["nosuid", "nodev", *temporary]),
        ("/sys/fs/cgroup", "cgroup", "cgroup", [*plain, "ro"]),
        ("/data", "bind", f"/disk/{name}", ["bind", "rw", "nosuid", "nodev"]),
    ]
    return [
        {"destination": place, "type": kind, "source": source, "options": options}
        for place, kind, source, options in listed
    ]


def resources(container: Container) -> dict[str, Any]:
    """The cgroup's limits. cpu.max is as many CPUs as there are; without a burst it would stop for
    80 ms who comes nowhere near it.
    """
    unified = {"cpu.weight": str(container.weight), "io.max": IO_MAX}
    return {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": {"limit": MEMORY_BYTES, "swap": MEMORY_BYTES},
        "pids": {"limit": PIDS},
        "cpu": {"quota": container.cpus * CPU_PERIOD_US, "period": CPU_PERIOD_US},
        "unified": unified | {"cpu.max.burst": str(CPU_PERIOD_US)},
    }


def container_config(
    name: str, number: int, container: Container, seccomp: dict[str, Any]
) -> dict[str, Any]:
    """The config.json of one container; `number` tells its user ids from others'."""
    ids = [{"containerID": 0, "hostID": ID_BASE + number * ID_COUNT, "size": ID_COUNT}]
    kinds = ["user", "pid", "mount", "ipc", "uts", "network", "cgroup"]
    sets = ["bounding", "effective", "permitted"]
    return {
        "ociVersion": "1.0.0",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": container.words,
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {kind: CAPABILITIES for kind in sets},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": f"/roots/{name}", "readonly": True},
        "hostname": name,
        "mounts": mounts(name),
        "linux": {
            "uidMappings": ids,
            "gidMappings": ids,
            "namespaces": [{"type": kind} for kind in kinds],
            "cgroupsPath": f"/{name}",
            "resources": resources(container),
            "seccomp": seccomp,
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"],
        },
    }


def runtime_unpack(tree: Path, unpacked: Path) -> dict[str, Any]:
    """crun and its libraries below `tree`; the seccomp profile, as OCI has it."""
    for package in RUNTIME_PACKAGES:
        package_unpack(package, unpacked)
    package_unpack(PROFILE_PACKAGE, unpacked)
    places = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/bin/crun"]
    for place in places:
        source, target = unpacked / place, tree / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            # Plain libraries only: not the modules for character sets.
            shutil.copytree(source, target, symlinks=True, ignore=lambda d, n: _folders(Path(d), n))
        else:
            shutil.copy(source, target)
    return seccomp_oci(json.loads((unpacked / PROFILE).read_text()))


def _folders(folder: Path, names: list[str]) -> list[str]:
    return [name for name in names if (folder / name).is_dir()]


def confined_check(said: str) -> None:
    """BenchError unless the guest has said that containers are confined as they should be."""
    if not re.search(CONFINED, said):
        raise BenchError(f"containers of the peer are not confined: {said[-4000:]}")


def disk_build(name: str) -> Path:
    """An empty ext4 on a disk of its own, with a journal."""
    out = OUT / f"disk-{name}.img"
    out.unlink(missing_ok=True)
    run_checked(["mke2fs", "-q", "-t", "ext4", str(out), f"{DISK_BYTES >> 10}k"])
    return out


def disk_arguments(disk: Path) -> list[str]:
    """QEMU's, for the peer's disk: the same card as ours has."""
    drive = f"if=none,id=data,format=raw,file={disk}"
    return ["-drive", drive, "-device", "virtio-blk-pci,drive=data"]


def modules_unpack(tree: Path) -> None:
    """The modules of the disk from the kernel's package, numbered in their order."""
    into = tree / "modules"
    into.mkdir()
    linux.kernel_fetch()
    command = ["dpkg-deb", "--fsys-tarfile", str(linux.package_kept())]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                stem = Path(member.name).stem
                data = archive.extractfile(member) if stem in MODULES else None
                if data:
                    (into / f"{MODULES.index(stem)}-{stem}.ko").write_bytes(data.read())
    if len(list(into.iterdir())) != len(MODULES):
        raise BenchError(f"the kernel's package lacks a module of {MODULES}")


def initramfs_build(image: Path, containers: dict[str, Container], name: str) -> Path:
    """An initramfs with crun, and for each container a bundle.

    `image` is the tree that each has a copy of; init's own busybox comes from it, too.
    """
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        tree, unpacked = Path(folder) / "tree", Path(folder) / "unpacked"
        tree.mkdir()
        unpacked.mkdir()
        seccomp = runtime_unpack(tree, unpacked)
        shutil.copytree(image / "bin", tree / "bin", symlinks=True)
        shutil.copytree(image, tree / "image", symlinks=True)
        modules_unpack(tree)
        for place in ("proc", "sys", "run", "new", "disk"):
            (tree / place).mkdir()
        for number, (place, container) in enumerate(containers.items()):
            bundle = tree / "bundles" / place
            bundle.mkdir(parents=True)
            config = container_config(place, number, container, seccomp)
            (bundle / "config.json").write_text(json.dumps(config))
            (bundle / "owner").write_text(str(ID_BASE + number * ID_COUNT))
        out = OUT / f"initramfs-{name}.cpio"
        out.write_bytes(linux.initramfs_bytes(INIT.read_bytes(), tree))
    return out


def guest_run(
    image: Path,
    containers: dict[str, Container],
    name: str,
    arguments: list[str],
    prepare: Callable[[Guest], None] = lambda guest: None,
) -> str:
    """Boots the peer with containers and arguments of QEMU; what it has said at its end."""
    initramfs = initramfs_build(image, containers, name)
    kernel, version = linux.kernel_fetch()
    peer = linux.Peer(kernel, initramfs, initramfs, version)
    command = [*peer.arguments(initramfs), *disk_arguments(disk_build(name)), *arguments]
    with guest_start(command) as guest:
        prepare(guest)
        guest.wait_for("@@@ end", timeout_seconds=WAIT_SECONDS)
        said = guest.said.decode(errors="replace").replace("\r", "")
    confined_check(said)
    return said
