from __future__ import annotations

import os
import platform
from dataclasses import replace

import psutil
import pytest

from labsupport.hardware import Gpu, Machine, machine

SMALL = Machine(
    cpu_model="AMD EPYC",
    logical_cores=2,
    physical_cores=2,
    usable_cores=2,
    isa=("avx2",),
    memory_bytes=int(23.5 * 2**30),
    memory_limit_bytes=None,
    gpus=(),
    os="Linux x86_64",
    python="3.11.7",
    load_average=(0.2, 0.4, 0.3),
)
H100 = Gpu("NVIDIA H100 80GB HBM3", 80 * 2**30, "570.86")


def test_the_summary_is_one_line_with_what_a_number_depends_on() -> None:
    assert SMALL.summary == "AMD EPYC, 2 cores, 23 GiB, no GPU, Linux x86_64"


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"logical_cores": 64}, "2 of 64 cores"),
        ({"logical_cores": 8, "usable_cores": 1.5}, "1.5 of 8 cores"),
        ({"logical_cores": 1, "usable_cores": 1}, " 1 core,"),
        ({"logical_cores": 224, "usable_cores": 224}, " 224 cores,"),
        ({"memory_limit_bytes": 4 * 2**30}, "4 GiB"),
        ({"gpus": (H100, H100)}, "2x NVIDIA H100 80GB HBM3"),
    ],
)
def test_the_summary_says_what_is_usable(changed: dict[str, object], shown: str) -> None:
    assert shown in replace(SMALL, **changed).summary


def test_a_fraction_of_a_core_still_runs_one_thread() -> None:
    assert replace(SMALL, usable_cores=0.5).cores == 1
    assert replace(SMALL, usable_cores=3.9).cores == 3


def test_this_machine_agrees_with_the_operating_system() -> None:
    found = machine()
    assert found.logical_cores == os.cpu_count()
    assert 0 < found.usable_cores <= found.logical_cores
    assert found.memory_bytes == psutil.virtual_memory().total
    assert found.os.startswith(platform.system())
    assert found.python == platform.python_version()
    assert "\n" not in found.summary


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity can be set on Linux only")
def test_affinity_lowers_the_usable_cores() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert machine().usable_cores <= 1
    finally:
        os.sched_setaffinity(0, allowed)
