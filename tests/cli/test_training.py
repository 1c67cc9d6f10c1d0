"""`labs train` as a user has it: interrupted with Ctrl-C it leaves one line, no process, and a run to continue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labsupport.cli.main import main
from labsupport.cli.spec_options import flag
from labsupport.errors import LabsError
from labsupport.hardware import machine
from labsupport.processes import die_with_parent, supervised
from labsupport.spec import settings
from labsupport.training import run_folder, trainer
from labsupport.training.checkpoint import newest_first, serial
from labsupport.training.events import EventLog, read_events
from labsupport.training.spec import TrainSpec

LABS = str(Path(sys.executable).with_name("labs"))
SMALL = (
    "train", "--model", "llama-tiny", "--dataset", "text", "--sequence", "32", "--global-batch", "16",
    "--max-steps", "400", "--checkpoint-every", "5", "--no-track",
)  # fmt: skip
FIRST_STEPS_WITHIN_S = 120.0


def wait_for_step(workspace: Path, step: int, process: subprocess.Popen) -> Path:
    """Wait until the only run of a workspace has done a step; return its folder."""
    deadline = time.monotonic() + FIRST_STEPS_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for folder in workspace.glob("runs/*"):
            if any(event["event"] == "step" and event["step"] >= step for event in read_events(folder / "events")):
                return folder
        time.sleep(0.1)
    raise AssertionError(f"no step {step} within {FIRST_STEPS_WITHIN_S:.0f} s")


@pytest.mark.slow
def test_an_interrupted_run_ends_with_130_leaves_no_process_and_goes_on_with_resume(isolated):
    environment = os.environ | {"LABS_WORKSPACE": str(isolated)}
    with (
        supervised(),
        subprocess.Popen(
            [LABS, *SMALL], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent(),
        ) as run,
    ):  # fmt: skip
        folder = wait_for_step(isolated, 20, run)
        started = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert f"labs train --resume {folder}" in said
    assert said.splitlines()[-1] == "labs: interrupted"
    assert len(started) > 2
    assert [process for process in started if process.is_running()] == []

    done = max(event["step"] for event in read_events(folder / "events") if event["event"] == "step")
    ends_at = done + 10  # not to wait for all 400
    spec = folder / "spec.json"
    spec.write_text(json.dumps(json.loads(spec.read_text()) | {"max_steps": ends_at}))
    newest = folder / "checkpoints" / newest_first(os.listdir(folder / "checkpoints"))[0]
    (newest / "run.pt").write_bytes(b"cut off")
    resumed = subprocess.run(
        [LABS, "train", "--resume", str(folder), "--num-workers", "1", "--no-track", "--json"],
        env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    result = json.loads(resumed.stdout.splitlines()[-1])
    assert (result["steps"], result["restarts"], result["folder"]) == (ends_at, 1, str(folder))
    assert result["num_workers"] == 1
    assert [reason.partition(":")[0] for reason in result["skipped"]] == [f"{newest}/run.pt"]
    first, second = (event for event in read_events(folder / "events") if event["event"] == "start")
    assert (first["step"], first["world_size"], second["world_size"]) == (0, 2, 1)
    assert 0 < second["step"] < (serial(newest.name) or (0, 0))[0]


def test_every_field_of_the_spec_is_an_option_with_its_help_and_default():
    shown = " ".join(
        subprocess.run([LABS, "train", "--help"], capture_output=True, text=True, check=True).stdout.split()
    )
    for field in settings(TrainSpec):
        assert f"{flag(field.name)} " in shown
        assert field.help in shown
        if field.default not in (None, False, True):
            assert f"[default: {field.default}]" in shown


def interrupted_run(folder: Path, **fields) -> Path:
    """Leave what a run that had saved step 20 leaves, but no checkpoint."""
    with run_folder.claimed(folder, TrainSpec(width=4, **fields)):
        log = EventLog(folder / "events", rank=0)
        log.emit("checkpoint", step=20)
        log.close()
    return folder


@pytest.fixture
def refused(capsys, monkeypatch):
    """Return the one line that `labs train` is refused with."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["labs", "train", "--no-track", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        line = capsys.readouterr().err
        assert (caught.value.code, line.count("\n")) == (2, 1)
        return line

    return run


def test_resume_refuses_by_option_what_would_make_it_another_run(tmp_path, refused):
    folder = interrupted_run(tmp_path)
    line = refused("--resume", str(folder), "--num-workers", "1", "--base-lr", "0.1")
    assert line.startswith(f"labs: --base-lr is 0.1, and the run in {folder} was started with 0.05: leave it as it was")


def test_a_run_of_more_workers_than_cores_is_resumed_with_the_number_that_the_refusal_advises(tmp_path, refused):
    cores = machine().cores
    folder = interrupted_run(tmp_path, num_workers=cores + 1, global_batch=(cores + 1) * cores)
    assert refused("--resume", str(folder)).endswith(f"use --num-workers {cores}\n")
    # It goes as far as the missing checkpoint, at which the test leaves it.
    assert "the checkpoint of step 20 is gone" in refused("--resume", str(folder), "--num-workers", str(cores))


def test_a_resume_that_starts_at_step_0_says_so(tmp_path, capsys, monkeypatch):
    def left(*_, **__):
        raise LabsError("the test leaves it here")

    monkeypatch.setattr(trainer, "train", left)
    monkeypatch.setattr(sys, "argv", ["labs", "train", "--no-track", "--resume", str(tmp_path)])
    with run_folder.claimed(tmp_path, TrainSpec(width=4, num_workers=1)):
        pass
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}: nothing had been saved there, so the run starts at step 0", "labs: the test leaves it here",
    ]  # fmt: skip


def test_a_run_that_has_lost_its_checkpoints_is_refused_and_is_not_told_to_delete_more(tmp_path, refused):
    line = refused("--resume", str(interrupted_run(tmp_path, num_workers=1)))
    assert line.startswith(f"labs: the run in {tmp_path} had saved checkpoints, and none of them can be used")
    assert "delete" not in line
