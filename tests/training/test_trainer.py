"""Ray workers lose nothing when one of them is killed, and a defect ends a run at once. Real Ray, real SIGKILL.

A start of Ray Train costs about 45 CPU-s, so there are two: one run that is killed, and one with a defect. What two
workers compute is compared with one process in test_replica.py, without Ray.
"""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from labsupport.errors import LabsError
from labsupport.training import ray_session, run_folder
from labsupport.training.checkpoint import newest_first
from labsupport.training.drill import resume_drill
from labsupport.training.events import EventLog, read_events
from labsupport.training.receipts import record_drill, record_run
from labsupport.training.spec import TrainSpec
from labsupport.training.trainer import _following, _interruptible, train

real_ray = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def session():
    with ray_session.running():
        yield


class TestWithRay:
    """The two starts, in one session."""

    pytestmark = real_ray

    def test_nothing_is_lost_when_a_worker_is_killed_and_the_newest_checkpoint_is_damaged(
        self, session, dropout_run, caplog
    ):
        def fails(event):
            raise OSError("the terminal is gone")

        drill = resume_drill(
            dropout_run.spec, rank=0, kill_at_step=18, corrupt=True, baseline=dropout_run, on_event=fails
        )
        run = drill.interrupted
        assert drill.exact
        assert (run.restarts, run.world_sizes, run.steps) == (1, (2, 2), 30)
        assert 0 < drill.resumed_at_step <= drill.killed_at_step
        assert drill.resumed_at_step < int(drill.corrupted.removeprefix("step_"))
        damaged = run.folder / "checkpoints" / drill.corrupted / "run.pt"
        assert drill.skipped == (f"{damaged}: sha256 differs from its sidecar; the file was altered or cut off",)
        assert run.skipped == drill.skipped
        kept = newest_first(path.name for path in (run.folder / "checkpoints").iterdir())
        assert kept == ["step_0000030", "step_0000025", "step_0000020"]
        assert read_events(run.folder / "events", 1)[-1]["event"] == "end"

        recovery, lost, exact = record_drill(drill)
        assert (recovery.name, lost.value, exact.value) == ("training.recovery_s", drill.lost_steps, 1.0)
        assert {receipt.name for receipt in record_run(run)} >= {
            "training.throughput", "training.loss", "training.accuracy",
        }  # fmt: skip
        assert [record.message for record in caplog.records if record.name == "labsupport.training.trainer"] == [
            "on_event raised OSError: the terminal is gone; it gets no more events of this run"
        ]

    def test_a_defect_of_one_worker_ends_the_run_at_once_with_rank_and_error_in_one_line(self, session):
        def fails_on_rank_1(num_samples, world_size, rank, **position):
            if rank == 1:
                raise RuntimeError("disk on fire")
            return list(range(num_samples))[rank::world_size]

        folder = run_folder.make("failing")
        with pytest.raises(
            LabsError, match=r"given up: rank 1, before the first step: RuntimeError: disk on"
        ) as caught:
            train(TrainSpec(width=4, max_steps=3), folder=folder, shard_fn=fails_on_rank_1)
        assert "\n" not in str(caught.value)
        assert [event["event"] for event in read_events(folder / "events", 0)] == ["start"]
        start, error = read_events(folder / "events", 1)
        assert (start["event"], error["event"], error["retried"]) == ("start", "error", False)


def emit(folder, *numbers: int) -> None:
    log = EventLog(folder, rank=0)
    for number in numbers:
        log.emit("step", step=number)
    log.close()


def test_a_listener_gets_every_event_of_rank_0_in_order_and_none_of_before(tmp_path):
    emit(tmp_path, 1, 2)
    seen = []
    with _following(tmp_path, lambda event: seen.append(event["step"])):
        emit(tmp_path, 3, 4)
        EventLog(tmp_path, rank=1).emit("step", step=99)
    assert seen == [3, 4]


def test_without_a_listener_nothing_is_followed(tmp_path):
    with _following(tmp_path / "nothing there", None):
        pass


def test_a_listener_that_fails_is_logged_once_and_gets_no_more_events(tmp_path, caplog):
    def fails(event):
        raise OSError("the terminal is gone")

    with _following(tmp_path, fails):
        emit(tmp_path, 1, 2)
    assert [record.message for record in caplog.records] == [
        "on_event raised OSError: the terminal is gone; it gets no more events of this run"
    ]


@pytest.mark.parametrize("code", [0, 1])
def test_ctrl_c_is_a_keyboard_interrupt_and_leaves_the_handler_that_was_there(code):
    handler = signal.getsignal(signal.SIGINT)

    def rays_handler(*_):
        raise SystemExit(code)

    def interrupted_fit():  # as TorchTrainer.fit is
        signal.signal(signal.SIGINT, rays_handler)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), _interruptible():
        interrupted_fit()
    assert signal.getsignal(signal.SIGINT) is handler, "Ray's own handler would end a notebook's kernel"


def test_another_exit_stays_one():
    with pytest.raises(SystemExit) as caught, _interruptible():
        raise SystemExit(128 + signal.SIGTERM)
    assert caught.value.code == 128 + signal.SIGTERM


def test_a_run_that_has_lost_its_checkpoints_is_refused_before_ray_starts(tmp_path, monkeypatch):
    def started():
        raise AssertionError("Ray was started")

    monkeypatch.setattr(ray_session, "running", started)
    spec = TrainSpec(width=4, num_workers=1)
    log = EventLog(tmp_path / "events", rank=0)
    log.emit("checkpoint", step=20)
    log.close()
    with pytest.raises(LabsError, match="the checkpoint of step 20 is gone"):
        train(spec, folder=tmp_path)
    with pytest.raises(LabsError, match="seed is 1, and the run in"):
        train(replace(spec, seed=1), folder=tmp_path)
