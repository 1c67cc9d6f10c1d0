"""Make the course's environment: `.venv`, the locked packages, this package, the system packages of binder/apt.txt.

    python3 requirements/install.py                  CPU profile (the default, and what CI runs)
    python3 requirements/install.py --profile gpu    CUDA torch and vLLM for NVIDIA GPUs

Standard library only: it runs before anything is installed. Each step is skipped when its work is done, so a second
run takes a fraction of a second and an interrupted one goes on where it stopped. A stamp is written last and removed
first: an environment without its stamp is never taken for whole. After an interruption every package is checked
against its own list of files, and a damaged one is installed again.

What is not covered: macOS and Windows are not tested (the locks carry their markers); the GPU lock is resolved but
CI has no GPU to install it on.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
UV = "uv==0.13.9"  # the installer; four times faster than pip on these locks
MIN_PYTHON, END_PYTHON = (3, 11), (3, 14)
# Imported by every Ray process or kernel of the labs; together they are most of what an import costs.
COMPILED = (
    "torch", "ray", "pandas", "pyarrow", "numpy", "scipy", "sklearn", "sympy", "networkx", "matplotlib", "mlflow",
    "mlflow_skinny", "sqlalchemy", "aiohttp", "pydantic", "jsonschema", "google", "opentelemetry", "rich", "typer",
    "IPython", "ipykernel", "jupyter_client", "nbclient", "nbformat", "nbconvert", "papermill", "jupytext",
    "prompt_toolkit", "tornado", "traitlets", "fsspec", "requests", "urllib3", "yaml", "jinja2", "psutil", "plotly",
    "hypothesis", "PIL",
)  # fmt: skip
CUDA_WHEEL_GB = 3  # quoted: about what the Linux wheel of torch 2.13 and its CUDA libraries download


class SetupError(Exception):
    """One line for the person at the keyboard: what failed and what to do."""


class Environment:
    """The virtual environment of one checkout and one profile."""

    def __init__(self, folder: Path, profile: str) -> None:
        self.folder, self.profile = folder, profile
        self.python = folder / "bin" / "python"
        self.stamp = folder / "labs-setup.json"
        self.lock = REQUIREMENTS / f"{profile}.txt"

    def digest(self) -> str:
        """Hash everything the environment is made from; another hash means: set up again."""
        parts = [self.profile, sys.version, *(path.read_text() for path in self._sources())]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _sources(self) -> list[Path]:
        return [self.lock, REQUIREMENTS / "torch.txt", ROOT / "pyproject.toml", Path(__file__)]

    def is_whole(self) -> bool:
        """Say whether a finished set-up of exactly these sources is in place."""
        try:
            return json.loads(self.stamp.read_text())["digest"] == self.digest() and self._runs()
        except (OSError, ValueError, KeyError):
            return False

    def _runs(self) -> bool:
        return self.python.exists() and os.access(self.python, os.X_OK)

    def create(self) -> str:
        """Make the virtual environment unless a usable one is there."""
        if self._runs() and subprocess.run([self.python, "-c", "import pip"], capture_output=True).returncode == 0:
            return "kept"
        venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(self.folder)
        return "made"

    def commit(self) -> None:
        """Write the stamp, atomically, as the last act of a set-up."""
        partial = self.stamp.with_suffix(".part")
        partial.write_text(json.dumps({"digest": self.digest(), "profile": self.profile, "at": time.time()}))
        partial.replace(self.stamp)

    def uv(self, *arguments: str, check: bool = True, quiet: bool = False) -> subprocess.CompletedProcess[str]:
        """Run `uv pip ...` on this environment; its own progress bar shows on a terminal."""
        command = [self.python, "-m", "uv", "pip", *arguments, "--python", str(self.python)]
        captured = quiet or not sys.stdout.isatty()
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE if captured else None,
            stderr=subprocess.PIPE if captured else None,
            text=True,
            env=os.environ | {"UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "copy")},
        )
        if check and done.returncode != 0:
            detail = (done.stderr or "").strip().splitlines()
            raise SetupError(f"uv pip {' '.join(arguments)} failed: {' | '.join(detail[-4:]) or 'see above'}")
        return done


def pip_find_links() -> list[str]:
    """Folders and pages that pip's own configuration offers besides its index."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    found = re.findall(r"^\S*\.find-links='(.*)'$", listed, re.MULTILINE)
    return list(dict.fromkeys(os.environ.get("PIP_FIND_LINKS", "").split() + " ".join(found).split()))


def install_torch(environment: Environment) -> str:
    """Install torch without CUDA from the first source that has it; say beforehand when none has."""
    version = re.search(r"^torch==(\S+)$", (REQUIREMENTS / "torch.txt").read_text(), re.MULTILINE)
    assert version, "requirements/torch.txt pins torch"
    pinned = f"torch=={version[1]}"
    if environment.profile == "gpu":
        environment.uv("install", pinned)
        return "CUDA build, from the default index"
    links = [item for folder in pip_find_links() for item in ("--find-links", folder)]
    # The pin "==X" accepts the local build "X+cpu", whose dependencies the lock holds: --no-deps.
    attempts = {
        "the folder that pip's configuration names": ["--no-deps", f"{pinned}+cpu", "--no-index", *links],
        "PyTorch's CPU index": ["--no-deps", pinned, "--torch-backend", "cpu"],
    }
    if not links:
        del attempts["the folder that pip's configuration names"]
    for source, arguments in attempts.items():
        if environment.uv("install", *arguments, check=False, quiet=True).returncode == 0:
            return f"CPU build, from {source}"
    if sys.platform == "linux":
        say(
            f"no CPU build of {pinned} can be reached: taking the plain wheel with its CUDA libraries, "
            f"about {CUDA_WHEEL_GB} GB"
        )
    environment.uv("install", pinned)
    return "plain wheel, from the default index"


def damaged_packages(site_packages: Path) -> list[str]:
    """Name every installed distribution whose own RECORD lists a file that is not there."""
    damaged = []
    for info in sorted(site_packages.glob("*.dist-info")):
        name = info.name.split("-")[0].replace("_", "-")
        try:
            with (info / "RECORD").open(newline="") as record:
                files = [row[0] for row in csv.reader(record) if row]
        except OSError:
            damaged.append(name)
            continue
        compiled = (".pyc",)  # made and removed by whoever imports; never a sign of damage
        if any(not (site_packages / file).exists() for file in files if not file.endswith(compiled)):
            damaged.append(name)
    return damaged


def install_lock(environment: Environment) -> str:
    """Install the locked packages, and again those an interruption left incomplete."""
    arguments = ["--no-deps", "--requirement", str(environment.lock)]
    environment.uv("install", *arguments)
    (site_packages,) = (environment.folder / "lib").glob("python*/site-packages")
    damaged = damaged_packages(site_packages)
    if damaged:
        say(f"incomplete after an interruption, installed again: {', '.join(damaged)}")
        again = [item for name in damaged for item in ("--reinstall-package", name)]
        environment.uv("install", *arguments, *again)
        still = [name for name in damaged_packages(site_packages) if name not in ("pip", "torch", "labsupport")]
        if still:
            raise SetupError(
                f"packages incomplete even after a second try: {', '.join(still)}; remove .venv and repeat"
            )
    return f"{sum(1 for _ in site_packages.glob('*.dist-info'))} packages"


def compile_packages(environment: Environment) -> str:
    """Compile the packages that a Ray session imports in every one of its twenty processes.

    Python would do it on first import, once per process that gets there first, and not at all where
    PYTHONDONTWRITEBYTECODE is set: then every process compiles torch anew, for seconds.
    """
    folders = [
        str(folder) for name in COMPILED for folder in (environment.folder / "lib").glob(f"*/site-packages/{name}")
    ]
    command = [environment.python, "-m", "compileall", "-q", "-j", "0", *folders]
    # Templates among the packages are no valid Python and stay as they are: the exit code says nothing.
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return f"{len(folders)} packages compiled"


def system_packages() -> dict[str, str]:
    """Read binder/apt.txt: package -> what its absence costs."""
    lines = (ROOT / "binder" / "apt.txt").read_text().splitlines()
    pairs = (line.partition("#") for line in lines if line.strip() and not line.startswith("#"))
    return {package.strip(): cost.strip() for package, _, cost in pairs}


def install_system_packages() -> str:
    """Install what binder/apt.txt lists where apt and root are there; else say what each missing one costs."""
    wanted = system_packages()
    dpkg = shutil.which("dpkg-query")
    missing = [name for name in wanted if not (dpkg and _is_installed(dpkg, name))]
    if not missing:
        return "all present"
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
            done = subprocess.run(["apt-get", *command], env=quiet, capture_output=True, text=True)
            if done.returncode != 0:
                say(f"apt-get {command[0]} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        missing = [name for name in missing if not (dpkg and _is_installed(dpkg, name))]
        if not missing:
            return "installed"
    for name in missing:
        say(f"missing: {name} ({wanted[name]}); get it with your system's package manager")
    return f"{len(missing)} missing, the course runs without them"


def _is_installed(dpkg: str, package: str) -> bool:
    status = subprocess.run([dpkg, "-W", "-f", "${Status}", package], capture_output=True, text=True)
    return status.stdout == "install ok installed"


def say(line: str) -> None:
    print(f"      {line}", flush=True)


@contextmanager
def one_set_up_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a lock beside the environment, so that two `make` targets never install into it at once."""
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(environment: Environment, system: bool) -> None:
    """Run every step, each with its time, and stamp the environment when all are done."""
    environment.stamp.unlink(missing_ok=True)
    steps = {
        "virtual environment": environment.create,
        "installer uv": lambda: _install_uv(environment),
        "torch": lambda: install_torch(environment),
        f"packages of {environment.lock.name}": lambda: install_lock(environment),
        "bytecode": lambda: compile_packages(environment),
        "labsupport, and the command `labs`": lambda: _install_package(environment),
        "system packages": install_system_packages if system else lambda: "left out (--no-system)",
    }
    for number, (title, step) in enumerate(steps.items(), start=1):
        print(f"[{number}/{len(steps)}] {title} ...", flush=True)
        start = time.monotonic()
        result = step()
        print(f"      {result} ({time.monotonic() - start:.1f} s)", flush=True)
    environment.commit()


def _install_uv(environment: Environment) -> str:
    command = [environment.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SetupError(f"pip could not install {UV}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return UV


def _install_package(environment: Environment) -> str:
    environment.uv("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    return "installed from this checkout"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=("cpu", "gpu"), default="cpu", help="which lock to install")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where the environment goes")
    parser.add_argument("--no-system", action="store_true", help="leave the system packages of binder/apt.txt alone")
    arguments = parser.parse_args(argv)
    if not MIN_PYTHON <= sys.version_info[:2] < END_PYTHON:
        print(
            f"set-up: Python {sys.version.split()[0]} will not do: the locked wheels need 3.11, 3.12 or 3.13; "
            "name one with `make setup PYTHON=python3.11`",
            file=sys.stderr,
        )
        return 2
    environment = Environment(arguments.venv.resolve(), arguments.profile)
    try:
        with one_set_up_at_a_time(environment.folder):
            if environment.is_whole():
                return 0
            set_up(environment, system=not arguments.no_system)
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nset-up: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
