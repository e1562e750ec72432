# SPDX-License-Identifier: Apache-2.0
"""The network device of tests/vm/espnic, which does ESP offload: its module, its faults and what it has counted."""
import os
import pathlib
import subprocess

PARAMETERS = pathlib.Path("/sys/module/espnic/parameters")


def load():
    """Loads the module, and takes back the faults of the test before."""
    if not PARAMETERS.exists():
        subprocess.run(["modprobe", "-a", "esp4_offload", "esp6_offload"], check=True)
        subprocess.run(["insmod", f"{os.environ['SVTI_STAGE']}/espnic.ko"], check=True)
    fault("refuse", 0)
    fault("room", 1024)


def fault(name, value):
    (PARAMETERS / name).write_text(str(value))


def counted(name):
    return int((PARAMETERS / name).read_text())


def kernel():
    """(6, 12) or the like: what the kernel offers to such a device depends on it."""
    return tuple(int(part) for part in os.uname().release.split(".")[:2])
