"""The computer itself: Python, platform, cores, memory, disk, instruction sets, GPU, workspace and loopback.

The sizes that the reference guide names (16 GB of memory, 4 cores, 100 GB of disk) are shown beside what is here; the
default target of the course is 2 cores without a GPU, and each notebook states what it measured.
"""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from pathlib import Path

from labsupport.course.doctor.diagnosis import Diagnosis, State
from labsupport.errors import LabsError
from labsupport.hardware import Machine, machine
from labsupport.workspace import VARIABLE as WORKSPACE_VARIABLE
from labsupport.workspace import workspace

MIN_PYTHON = (3, 11)
TARGET_CORES = 2
GUIDE_CORES = 4
GUIDE_MEMORY_BYTES = 16e9
GUIDE_DISK_BYTES = 100e9
TESTED_PLATFORM = "Linux x86_64"


def diagnoses() -> tuple[Diagnosis, ...]:
    """Examine this computer."""
    here = machine()
    return (
        python_diagnosis(sys.version_info[:3]),
        platform_diagnosis(here.os),
        cores_diagnosis(here),
        memory_diagnosis(here.usable_memory_bytes),
        isa_diagnosis(here),
        gpu_diagnosis(here),
        *workspace_diagnoses(),
        loopback_diagnosis(),
    )


def python_diagnosis(version: tuple[int, ...]) -> Diagnosis:
    """Judge the version of Python, the one hard requirement."""
    return Diagnosis(
        "Python",
        State.OK if version >= MIN_PYTHON else State.OLD,
        ".".join(map(str, version)),
        needed=f"{MIN_PYTHON[0]}.{MIN_PYTHON[1]} or newer",
        without_it="nothing works",
        how="install it, then `make setup` with it",
        gate=True,
    )


def platform_diagnosis(name: str) -> Diagnosis:
    """Say whether this platform is the one that is tested."""
    tested = name == TESTED_PLATFORM
    found = name if tested else f"{name}: may work, only {TESTED_PLATFORM} is tested"
    return Diagnosis("platform", State.OK if tested else State.INFO, found)


def cores_diagnosis(here: Machine) -> Diagnosis:
    """Judge the cores this process may use."""
    enough = here.cores >= TARGET_CORES
    return Diagnosis(
        "CPU cores",
        State.OK if enough else State.INFO,
        f"{here.usable_cores:.3g} usable of {here.logical_cores}, {here.cpu_model}; the guide names {GUIDE_CORES}",
        needed=str(TARGET_CORES),
        without_it="parallel labs run, but measuring their speed-up says nothing",
    )


def memory_diagnosis(memory_bytes: int) -> Diagnosis:
    """Judge the memory this process may use."""
    # A machine sold with 16 GB shows a little less: firmware keeps some.
    enough = memory_bytes >= 0.95 * GUIDE_MEMORY_BYTES
    return Diagnosis(
        "memory",
        State.OK if enough else State.INFO,
        f"{memory_bytes / 1e9:.1f} GB; the guide names {GUIDE_MEMORY_BYTES / 1e9:.0f}",
        without_it="each notebook says what it needs",
    )


def isa_diagnosis(here: Machine) -> Diagnosis:
    """Say what the CPU's instruction sets allow."""
    int8 = {"avx512_vnni", "avx_vnni", "amx_int8"} & set(here.isa)
    bf16 = {"avx512_bf16", "amx_bf16"} & set(here.isa)
    lacking = [what for what, there in (("INT8", int8), ("bfloat16", bf16)) if not there]
    return Diagnosis(
        "instruction sets",
        State.INFO if lacking else State.OK,
        ", ".join(here.isa) or "none of those that matter here",
        without_it=f"week 4: no speed-up from {' or '.join(lacking)} on this CPU; its criterion stays provisional",
    )


def gpu_diagnosis(here: Machine) -> Diagnosis:
    """Say which GPUs NVML names."""
    return Diagnosis(
        "GPU",
        State.OK if here.gpus else State.INFO,
        ", ".join(gpu.name for gpu in here.gpus) or "none that NVML finds",
        without_it="no NCCL, TensorRT or 7B models: the labs run on CPUs, and criteria that name GPUs stay provisional",
        how="an NVIDIA GPU with its driver, then `make setup BUILD=gpu`",
    )


def workspace_diagnoses() -> tuple[Diagnosis, ...]:
    """Try to write into the workspace, and say how much room its disk has."""
    try:
        folder = workspace()
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"labs doctor")
    except (LabsError, OSError) as error:
        how = f"set {WORKSPACE_VARIABLE} to a folder you may write"
        return (
            Diagnosis(
                "workspace", State.MISSING, str(error), without_it="no receipts, progress or runs can be kept", how=how
            ),
        )
    return (
        Diagnosis("workspace", State.OK, f"{folder} is writable"),
        disk_diagnosis(folder, shutil.disk_usage(folder).free),
    )


def disk_diagnosis(folder: Path, free_bytes: int) -> Diagnosis:
    """Judge the free space where learner files live."""
    return Diagnosis(
        "free disk",
        State.OK if free_bytes >= GUIDE_DISK_BYTES else State.INFO,
        f"{free_bytes / 1e9:.0f} GB at {folder}; the guide names {GUIDE_DISK_BYTES / 1e9:.0f}",
        without_it="the CPU environment takes about 5 GB; each notebook says what it writes",
    )


def loopback_diagnosis() -> Diagnosis:
    """Open a port on 127.0.0.1 and talk to it, as every server of the labs does."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port), timeout=2.0) as client, server.accept()[0] as served:
                client.sendall(b"ping")
                heard = served.recv(4)
    except OSError as error:
        how = "allow 127.0.0.1 in the firewall or sandbox"
        return Diagnosis(
            "loopback", State.MISSING, str(error), without_it="no lab that starts a server will run", how=how
        )
    assert heard == b"ping", "the loopback interface changed what was sent"
    return Diagnosis("loopback", State.OK, f"127.0.0.1 answers (tried port {port})")
