"""Two virtual CPUs that are to run at the same time, on a host that does other things, too."""

import os
from contextlib import suppress

from pybuild.machine import Machine

PRIORITY = 10


def real_time_take(machine: Machine) -> None:
    """Real-time priority for the virtual CPUs, and more for the main loop; none if we may not."""
    with suppress(PermissionError):
        os.sched_setscheduler(machine.pid(), os.SCHED_RR, os.sched_param(2 * PRIORITY))
        for cpu in machine.qmp("query-cpus-fast"):
            os.sched_setscheduler(cpu["thread-id"], os.SCHED_RR, os.sched_param(PRIORITY))
