"""Set-up: done once, resumed after an interruption, and never mistaken for whole."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("install", ROOT / "requirements" / "install.py")
install = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(install)


@pytest.fixture
def environment(tmp_path):
    made = install.Environment(tmp_path / "venv", "cpu")
    made.python.parent.mkdir(parents=True)
    made.python.write_text("#!/bin/sh\nexit 0\n")
    made.python.chmod(0o755)
    return made


def test_only_a_stamp_of_exactly_these_sources_makes_an_environment_whole(environment):
    assert not environment.is_whole()
    environment.commit()
    assert environment.is_whole()
    environment.stamp.write_text('{"digest": "of another lock"}')
    assert not environment.is_whole()
    environment.stamp.write_text('{"digest": "torn')
    assert not environment.is_whole()


def test_an_environment_whose_python_is_gone_is_not_whole(environment):
    environment.commit()
    environment.python.unlink()
    assert not environment.is_whole()


def test_the_stamp_is_removed_before_the_first_step_and_written_after_the_last(environment, monkeypatch):
    environment.commit()

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "install_torch", interrupted)
    monkeypatch.setattr(install, "_install_uv", lambda _: "uv")
    monkeypatch.setattr(install.Environment, "create", lambda _: "kept")
    with pytest.raises(KeyboardInterrupt):
        install.set_up(environment, system=False)
    assert not environment.is_whole()


def test_a_package_with_a_file_missing_is_named(tmp_path):
    for name, files in {"whole": ["whole/__init__.py"], "torn": ["torn/__init__.py", "torn/data.bin"]}.items():
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in [*files, f"{name}/__pycache__/x.pyc"]))
    (tmp_path / "cut_off-2.0.dist-info").mkdir()
    assert install.damaged_packages(tmp_path) == ["cut-off", "torn"]


def test_every_system_package_says_what_its_absence_costs():
    packages = install.system_packages()
    assert packages
    assert [name for name, cost in packages.items() if not cost or " " in name] == []


def test_the_locks_name_versions_and_no_addresses():
    for lock in ("cpu.txt", "gpu.txt"):
        lines = (ROOT / "requirements" / lock).read_text().splitlines()
        assert [line for line in lines if not re.match(r"^[a-z0-9][a-z0-9._-]*==[^ ]+( ; .+)?$", line)] == []


def test_the_cpu_lock_holds_none_of_the_wheels_that_break_beside_cpu_torch():
    names = {line.split("==")[0] for line in (ROOT / "requirements" / "cpu.txt").read_text().splitlines()}
    assert names & {"torch", "torchvision", "torchaudio", "torchcodec", "triton", "rfc3987-syntax"} == set()


def test_a_python_that_is_too_old_is_told_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(install.sys, "version_info", (3, 10, 0))
    assert install.main([]) == 2
    assert "3.11" in capsys.readouterr().err


@pytest.mark.skipif(not (ROOT / ".venv" / "labs-setup.json").exists(), reason="this checkout was not set up by make")
def test_a_second_set_up_does_nothing():
    stamp = ROOT / ".venv" / "labs-setup.json"
    before = stamp.stat().st_mtime_ns
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make", "-s", "setup"], cwd=ROOT, capture_output=True, text=True, timeout=120, env=clean)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert stamp.stat().st_mtime_ns == before
