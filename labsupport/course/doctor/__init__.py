"""`labs doctor`: what this computer has, what will not work without the rest, and how to get it.

Only three things fail the examination: a Python that is too old, packages that are missing or broken, and a binary that
`LABS_REQUIRE` names (CI names what its jobs must have, so that no test passes by not running). Everything else is an
upgrade: for what is missing it says which weeks take another way.

Limitations: whether a Docker daemon, a cluster or a cloud account answers is not asked; the labs ask when they need it.
"""

from __future__ import annotations

import os

from labsupport.course.doctor import computer, packages, tools
from labsupport.course.doctor.diagnosis import Diagnosis, State, as_json, exit_code, render

__all__ = ["Diagnosis", "State", "as_json", "examine", "exit_code", "render"]


def examine() -> tuple[Diagnosis, ...]:
    """Look at everything; takes a few seconds, for each binary is asked for its version."""
    return (
        *computer.diagnoses(),
        *packages.diagnoses(),
        *tools.diagnoses(tools.required_names(os.environ.get(tools.VARIABLE, ""))),
    )
