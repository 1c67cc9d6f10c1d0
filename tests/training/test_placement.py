"""A lab uses the devices that are there, and says why."""

from __future__ import annotations

import pytest

from labsupport.training.placement import Placement, decide, place


@pytest.mark.parametrize(
    ("gpus", "fewer", "placed", "said"),
    [
        (0, False, (2, 0, "gloo"), "2 workers on CPU cores, joined by gloo: no GPU can be used here"),
        (0, True, (2, 0, "gloo"), "2 workers on CPU cores, joined by gloo: no GPU can be used here"),
        (
            1,
            False,
            (2, 0, "gloo"),
            "2 workers on CPU cores, joined by gloo: 1 GPU can be used here, and 2 workers need as",
        ),
        (1, True, (1, 1, "nccl"), "1 worker on a GPU: 1 GPU can be used here, and no two workers can"),
        (2, False, (2, 1, "nccl"), "2 workers on a GPU each, joined by nccl: 2 GPUs can be used here"),
        (2, True, (2, 1, "nccl"), "2 workers on a GPU each, joined by nccl: 2 GPUs can be used here"),
        (8, False, (2, 1, "nccl"), "2 workers on a GPU each, joined by nccl: 8 GPUs can be used here"),
    ],
)
def test_the_devices_decide(gpus, fewer, placed, said):
    placement = decide(None, None, gpus=gpus, fewer=fewer)
    assert (placement.num_workers, placement.gpus_per_worker, placement.backend) == placed
    assert str(placement).startswith(said)


def test_more_workers_than_gpus_go_to_cpu_cores_or_become_fewer():
    assert decide(4, None, gpus=3) == Placement(4, 0, "3 GPUs can be used here, and 4 workers need as many")
    assert decide(4, None, gpus=3, fewer=True).num_workers == 3


def test_what_the_reader_has_set_stays():
    assert decide(3, None, gpus=0).num_workers == 3
    for gpus in (0, 1, 8):
        assert decide(3, 1, gpus=gpus) == Placement(3, 1, "gpus_per_worker is set to 1")
        assert decide(None, 0, gpus=gpus) == Placement(2, 0, "gpus_per_worker is set to 0")


def test_gpus_that_are_hidden_from_the_process_are_not_used(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert place().gpus_per_worker == 0
