"""The roles of Ray's processes are read off command lines."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from labsupport.training import ray_anatomy


def test_this_process_is_the_driver():
    driver = ray_anatomy.processes()[0]
    assert (driver.role, driver.pid) == ("driver", os.getpid())


def test_a_child_is_known_by_its_command_line_and_found_by_its_role():
    command = [sys.executable, "-c", "import sys; sys.stdin.read()", "ray/core/src/ray/gcs/gcs_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert ray_anatomy.find("gcs_server") == child.pid
        child.stdin.close()


def test_a_role_that_nobody_has_is_named():
    with pytest.raises(LookupError, match="raylet"):
        ray_anatomy.find("raylet")
