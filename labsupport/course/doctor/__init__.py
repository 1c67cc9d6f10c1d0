"""`labs doctor`: what this computer has, what each absence disables, and how to get it.

Only three things fail the examination: a Python that is too old, packages that are missing or broken, and a binary that
`LABS_REQUIRE` declares (CI declares what its jobs must have, so that no test passes by not running). All else is an
upgrade: its absence names the weeks that then take another way.

What is not covered: whether a Docker daemon, a cluster or a cloud account answers; those labs ask when they need it.
"""

from __future__ import annotations

import os

from labsupport.course.doctor import computer, packages, tools
from labsupport.course.doctor.finding import Finding, State, as_json, exit_code, render

__all__ = ["Finding", "State", "as_json", "examine", "exit_code", "render"]


def examine() -> tuple[Finding, ...]:
    """Look at everything; takes a few seconds, for each binary is asked for its version."""
    return (
        *computer.findings(),
        *packages.findings(),
        *tools.findings(tools.required_names(os.environ.get(tools.VARIABLE, ""))),
    )
