"""The binaries that labs can use: what each is for, and how to ask for its version.

None is needed: the table says what takes the place of one that is missing. `LABS_REQUIRE=terraform,prometheus` makes
it a failure if one of those is missing. Minimum versions are those of the reference guide; where it names none, any
version will do.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from labsupport.course.doctor.diagnosis import Diagnosis, State
from labsupport.errors import LabsError
from labsupport.processes import run_group

VARIABLE = "LABS_REQUIRE"
PROBE_LIMIT_S = 5.0

_NUMBER = r"(\d+(?:\.\d+)+)"


@dataclass(frozen=True)
class Tool:
    """One binary: what it is for and how its version is read."""

    name: str
    minimum: str
    """Empty where any version will do."""
    without_it: str
    how: str
    ask: tuple[str, ...] = ("--version",)
    pattern: str = _NUMBER
    """A regular expression whose first group is the version."""
    also_called: tuple[str, ...] = ()


TOOLS = (
    Tool("git", "", "receipts do not name the commit they were measured at", "apt-get install git"),
    Tool(
        "terraform",
        "1.5",
        "weeks 8 and 11: no plan and apply; the labs read saved plans",
        "https://developer.hashicorp.com/terraform/install",
        ask=("version",),
        pattern=rf"Terraform v{_NUMBER}",
    ),
    Tool(
        "prometheus",
        "",
        "weeks 3 and 11: no tests of alert rules, no federation of real servers",
        "apt-get install prometheus",
        pattern=rf"prometheus, version {_NUMBER}",
    ),
    Tool(
        "haproxy",
        "",
        "weeks 9 and 10: a proxy in Python routes in its place",
        "apt-get install haproxy",
        ask=("-v",),
        pattern=rf"(?i)ha-?proxy version {_NUMBER}",
    ),
    Tool(
        "kubectl",
        "1.26",
        "weeks 0 and 12 to 14: no kubectl cells; the labs reach the API server from Python",
        "https://kubernetes.io/docs/tasks/tools/",
        ask=("version", "--client"),
        pattern=rf'(?:Client Version: v|GitVersion:"v){_NUMBER}',
    ),
    Tool(
        "docker",
        "20.10",
        "no runs on `kind`, no image builds in weeks 7 and 14",
        "https://docs.docker.com/engine/install/",
        pattern=rf"Docker version {_NUMBER}",
    ),
    Tool(
        "helm",
        "3.12",
        "no charts on `kind` or in the cloud; the labs need none",
        "https://helm.sh/docs/intro/install/",
        ask=("version", "--short"),
        pattern=rf"v{_NUMBER}",
    ),
    Tool(
        "k6",
        "",
        "weeks 6 and 7: no k6 scripts; the course's own load generator always runs",
        "https://grafana.com/docs/k6/latest/set-up/install-k6/",
        ask=("version",),
        pattern=rf"k6(?:\.exe)? v{_NUMBER}",
    ),
    Tool(
        "chromium",
        "",
        "the course's own browser tests do not run; no lab needs it",
        "apt-get install chromium",
        also_called=("chromium-browser", "google-chrome"),
    ),
    Tool(
        "go",
        "1.21",
        "nothing: project 204 is in Python",
        "https://go.dev/doc/install",
        ask=("version",),
        pattern=rf"go version go{_NUMBER}",
    ),
)

# Named by the reference guide for clusters, clouds and GPUs; no lab runs them here.
GUIDE_TOOLS = ("aws", "gcloud", "eksctl", "minikube", "curl", "tree", "nsys", "all_reduce_perf")


def required_names(setting: str) -> tuple[str, ...]:
    """Read the value of LABS_REQUIRE, names separated by commas."""
    return tuple(dict.fromkeys(name for part in setting.split(",") if (name := part.strip())))


def read_version(text: str, pattern: str) -> str | None:
    """Return the version that a pattern finds in what a tool printed."""
    match = re.search(pattern, text)
    return match.group(1) if match else None


def at_least(version: str, minimum: str) -> bool:
    """Compare dotted numbers: 1.10 is above 1.5, and 1.5 is enough for 1.5."""
    return _numbers(version) >= _numbers(minimum)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def tool_diagnosis(tool: Tool, path: str | None, answer: str, required: bool) -> Diagnosis:
    """Judge one tool.

    Args:
        path: where it was found; None if nowhere.
        answer: what it printed when asked for its version.
        required: whether LABS_REQUIRE names it.
    """
    version = read_version(answer, tool.pattern)
    if path is None:
        state, found = State.MISSING, "not found"
    elif version is None:
        first_line = (answer.strip().splitlines() or ["nothing"])[0]
        # It may be another program of that name, or not run at all: good enough for a hint, not for a declared binary.
        state, found = (State.OLD if required else State.INFO), f"version not understood: {first_line}"
    elif tool.minimum and not at_least(version, tool.minimum):
        state, found = State.OLD, version
    else:
        state, found = State.OK, version
    if required and state in (State.MISSING, State.OLD):
        state = State.REQUIRED
    needed = f"{tool.minimum} or newer" if tool.minimum else ""
    return Diagnosis(tool.name, state, found, needed, tool.without_it, tool.how)


def diagnoses(required: Collection[str] = ()) -> tuple[Diagnosis, ...]:
    """Look for every tool of the table, and for what else is required."""
    others = [name for name in required if name not in {tool.name for tool in TOOLS}]
    with ThreadPoolExecutor(max_workers=4) as pool:
        known = tuple(pool.map(lambda tool: _examine(tool, tool.name in required), TOOLS))
    return (*known, *(_declared(name) for name in others), _guide_tools(GUIDE_TOOLS))


def _examine(tool: Tool, required: bool) -> Diagnosis:
    path = next(filter(None, map(find, (tool.name, *tool.also_called))), None)
    return tool_diagnosis(tool, path, "" if path is None else _ask([path, *tool.ask]), required)


def _declared(name: str) -> Diagnosis:
    """Judge a binary that only LABS_REQUIRE names."""
    path = find(name)
    how = f"install it, or take it out of {VARIABLE}"
    state = State.REQUIRED if path is None else State.OK
    return Diagnosis(name, state, path or "not found", f"declared by {VARIABLE}", "the tests that need it fail", how)


def _guide_tools(names: Iterable[str]) -> Diagnosis:
    present = [name for name in names if find(name) is not None]
    absent = [name for name in names if name not in present]
    return Diagnosis(
        "other tools",
        State.INFO,
        ", ".join(present) or "none",
        without_it=f"not here: {', '.join(absent)}; the reference guide names them, but no lab needs them"
        if absent
        else "",
    )


def find(name: str) -> str | None:
    """Look beside the running Python first: some tools are installed as packages."""
    beside_python = str(Path(sys.executable).parent)
    return shutil.which(name, path=os.pathsep.join([beside_python, os.environ.get("PATH", os.defpath)]))


def _ask(argv: list[str]) -> str:
    """Return what a tool prints, on either stream; a sentence if it does not answer."""
    quiet = {"LC_ALL": "C", "CHECKPOINT_DISABLE": "1"}  # the second keeps Terraform from asking for updates
    try:
        done = run_group(argv, env={**os.environ, **quiet}, timeout_s=PROBE_LIMIT_S, grace_s=0.5)
    except LabsError as error:
        return str(error)
    return f"no answer within {PROBE_LIMIT_S:g} s" if done.timed_out else f"{done.stdout}\n{done.stderr}"
