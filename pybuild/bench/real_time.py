"""Two virtual CPUs that are to run at the same time, on a host that does other things, too."""

import os
from contextlib import suppress
from pathlib import Path

from pybuild.machine import Machine

PRIORITY = 10
# QEMU gives its threads names with this; those of virtual CPUs begin so.
NAMED_THREADS = ["-name", "debug-threads=on"]
CPU_THREAD = "CPU "


def real_time_take(machine: Machine) -> None:
    """Real-time priority for the virtual CPUs, and more for the main loop; none if we may not."""
    with suppress(PermissionError):
        os.sched_setscheduler(machine.pid(), os.SCHED_RR, os.sched_param(2 * PRIORITY))
        for cpu in machine.qmp("query-cpus-fast"):
            os.sched_setscheduler(cpu["thread-id"], os.SCHED_RR, os.sched_param(PRIORITY))


def real_time_take_named(pid: int) -> None:
    """The same for a QEMU with NAMED_THREADS that can't be asked."""
    with suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(2 * PRIORITY))
        for task in Path(f"/proc/{pid}/task").iterdir():
            if (task / "comm").read_text().startswith(CPU_THREAD):
                os.sched_setscheduler(int(task.name), os.SCHED_RR, os.sched_param(PRIORITY))
