"""PyTorch is asked for the same bits while a run trains, and is left as it was found."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch

from labsupport.errors import LabsError
from labsupport.training.determinism import VARIABLE, WORKSPACE, Cost, measure_cost, repeatable
from labsupport.training.loop import train_alone
from labsupport.training.result import TrainResult
from labsupport.training.spec import TrainSpec

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SPEC = TrainSpec(width=4, num_workers=1, global_batch=32, max_steps=1)


def settings() -> tuple[bool, bool, bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
        torch.utils.deterministic.fill_uninitialized_memory,
    )


@pytest.fixture(params=[(False, False, False, True), (True, True, True, False)])
def found(request):
    """Settings that a notebook may have made before."""
    before = settings()

    def make(enabled, warn_only, benchmark, fills):
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        torch.backends.cudnn.benchmark, torch.utils.deterministic.fill_uninitialized_memory = benchmark, fills

    make(*request.param)
    yield request.param
    make(*before)


@pytest.mark.parametrize("on", [True, False])
def test_the_settings_hold_inside_and_are_afterwards_as_they_were(found, on):
    seen = []

    def fails():
        with repeatable(on, CPU):
            seen.append(settings())
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()
    assert seen == [(on, False, False, False)]
    assert settings() == found


@pytest.mark.parametrize("on", [True, False])
def test_a_run_trains_with_what_its_spec_says_and_writes_it_down(found, on, tmp_path, monkeypatch):
    seen = []
    forward = torch.nn.Conv2d.forward
    monkeypatch.setattr(torch.nn.Conv2d, "forward", lambda self, x: (seen.append(settings()[0]), forward(self, x))[1])
    result = train_alone(replace(SPEC, deterministic=on), tmp_path)
    assert set(seen) == {on}
    assert [event["deterministic"] for event in result.events if event["event"] == "start"] == [on]
    assert settings() == found


class TestCublasWorkspace:
    @pytest.fixture(autouse=True)
    def unset(self, monkeypatch):
        monkeypatch.delenv(VARIABLE, raising=False)
        yield
        os.environ.pop(VARIABLE, None)

    def test_it_is_set_before_cuda_starts(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
        with repeatable(True, CUDA):
            assert os.environ[VARIABLE] == WORKSPACE == ":4096:8"
        with repeatable(True, CUDA):  # CUDA runs by now
            pass

    def test_it_is_not_set_for_a_run_that_does_not_need_it(self):
        with repeatable(False, CUDA), repeatable(True, CPU):
            assert VARIABLE not in os.environ

    @pytest.mark.parametrize("setting", [None, ":0:0"])
    def test_a_process_whose_cuda_runs_without_it_is_told_to_start_again(self, setting, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        if setting:
            monkeypatch.setenv(VARIABLE, setting)
        sentence = rf"deterministic needs {VARIABLE}={WORKSPACE} before CUDA starts.*kernel"
        with pytest.raises(LabsError, match=sentence), repeatable(True, CUDA):
            pass


def test_an_operation_without_a_deterministic_algorithm_is_named_with_the_way_out():
    values, indices = torch.nn.functional.max_pool2d(torch.rand(1, 1, 4, 4), 2, return_indices=True)
    sentence = "max_unpool.* does not have a deterministic implementation: set deterministic to False"
    with pytest.raises(LabsError, match=sentence), repeatable(True, CPU):
        torch.nn.functional.max_unpool2d(values, indices, 2)
    with repeatable(False, CPU):
        torch.nn.functional.max_unpool2d(values, indices, 2)


def test_a_run_on_the_cpu_does_not_start_cuda(tmp_path, monkeypatch):
    def started(*_):
        raise AssertionError("CUDA was started")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "init", started)
    monkeypatch.setattr(torch.cuda, "get_rng_state", started)
    train_alone(SPEC, tmp_path)


@pytest.mark.parametrize(
    ("starts", "deterministic"),
    [
        ([{"device": "cpu"}], True),
        ([{"device": "cpu", "deterministic": False}], True),
        ([{"device": "cuda:0"}], False),
        ([{"device": "cuda:0", "deterministic": False}], False),
        ([{"device": "cuda:0", "deterministic": True}], True),
        ([{"device": "cuda:0", "deterministic": True}, {"device": "cuda:0", "deterministic": False}], False),
    ],
)
def test_a_result_knows_whether_its_bits_can_be_compared(starts, deterministic, tmp_path):
    events = tuple({"event": "start", "world_size": 1, **start} for start in starts)
    assert TrainResult(SPEC, tmp_path, events, 0.5, "", 0.0, 1.0).deterministic is deterministic


def test_the_cost_is_that_of_steps_taken_in_turn(monkeypatch):
    turns = []
    original = torch.use_deterministic_algorithms
    noted = lambda on, **keywords: (turns.append(on), original(on, **keywords))[1]  # noqa: E731
    monkeypatch.setattr(torch, "use_deterministic_algorithms", noted)
    cost = measure_cost(SPEC, CPU, rounds=2, steps=1)
    assert len(cost.with_s) == len(cost.without_s) == 2
    assert min(*cost.with_s, *cost.without_s) > 0
    taken = turns[1:-1:2]  # every second call restores
    assert taken == [True, False, False, True, True, False]


def test_the_ratio_is_that_of_the_medians():
    assert Cost((2.0, 9.0, 3.0), (1.0, 2.0, 8.0)).ratio == 1.5
