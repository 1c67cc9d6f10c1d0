"""On a real GPU: a run trains, is killed, goes on with the same bits, and says how busy the device was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from labsupport.receipts.ledger import ledger
from labsupport.training import placement, ray_session
from labsupport.training.determinism import measure_cost, repeatable
from labsupport.training.drill import resume_drill
from labsupport.training.loop import train_alone
from labsupport.training.receipts import record_deterministic_cost, record_drill, record_run
from labsupport.training.spec import TrainSpec
from labsupport.training.step_log import CudaMark

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(280), pytest.mark.filterwarnings("ignore")]

CUDA = torch.device("cuda")
ON_GPU = {"num_workers": 1, "gpus_per_worker": 1}
SPEC = TrainSpec(
    model="resnet18", norm="group", width=16, global_batch=64, max_steps=60, epochs=5, checkpoint_every=10, **ON_GPU
)
# Every kind of layer and of loss that the models have, and both stems of a ResNet.
KINDS = {
    "batch normalisation": TrainSpec(model="resnet18", width=16, max_steps=20, **ON_GPU),
    "bottlenecks behind the stem for large images": TrainSpec(
        model="resnet50", dataset="images", image_size=96, width=16, norm="group", global_batch=16, **ON_GPU
    ),
    "attention and dropout": TrainSpec(
        model="llama-tiny", dataset="text", dropout=0.1, global_batch=16, max_steps=20, **ON_GPU
    ),
    "double precision": TrainSpec(model="resnet18", norm="group", width=8, dtype="float64", max_steps=20, **ON_GPU),
}


@pytest.fixture(scope="module", autouse=True)
def cuda_starts_as_a_deterministic_run_needs_it():
    """Whichever test comes first."""
    with repeatable(True, CUDA):
        pass


@pytest.fixture
def images(tmp_path):
    """A folder of random pictures in the layout of ImageNet."""
    import numpy as np
    from PIL import Image

    numbers = np.random.default_rng(0)
    for split in ("train", "val"):
        for label in ("cats", "dogs"):
            folder = tmp_path / "images" / split / label
            folder.mkdir(parents=True)
            for index in range(64):
                pixels = numbers.integers(0, 256, (96, 96, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "images"


def test_a_killed_run_goes_on_with_the_same_bits_and_says_how_busy_the_gpu_was():
    with ray_session.running():
        drill = resume_drill(SPEC, rank=0, kill_at_step=25)
    assert drill.interrupted.restarts == 1
    assert drill.baseline.deterministic
    assert drill.exact
    for result in (drill.baseline, drill.interrupted):
        assert result.gpus == 1
        assert result.gpu_utilization
        assert all(0 <= share <= 1 for share in result.gpu_utilization)
        assert all(0 < share < 1 for share in result.mfu)
        assert sum(result.step_s) < result.wall_s
    record_run(drill.baseline)
    record_drill(drill)
    names = {receipt.name for receipt in ledger().read().receipts}
    assert {"training.gpu_utilization", "training.mfu", "training.resume_exact", "training.recovery_s"} <= names


@pytest.mark.parametrize("kind", KINDS)
def test_two_runs_of_one_spec_have_the_same_bits(kind, tmp_path, images):
    spec = KINDS[kind]
    if spec.dataset == "images":
        spec = replace(spec, dataset="imagenet", data_root=str(images))
    first, second = (train_alone(spec, tmp_path / name) for name in ("first", "second"))
    assert first.gpus == 1
    assert (first.losses, first.checksum) == (second.losses, second.checksum)


def test_a_run_that_may_use_any_kernel_is_not_called_deterministic(tmp_path):
    assert not train_alone(replace(SPEC, deterministic=False, max_steps=2), tmp_path).deterministic


def test_what_determinism_costs_is_measured():
    spec = TrainSpec(model="resnet50", image_size=32, global_batch=128, **ON_GPU)
    cost = measure_cost(spec, CUDA)
    assert 0.5 < cost.ratio < 10
    record_deterministic_cost(cost, spec)


def test_a_step_is_timed_on_the_device_and_not_on_the_host_that_queues_it():
    matrix = torch.ones(4096, 4096, device=CUDA)
    torch.cuda.synchronize()
    begins = CudaMark()
    for _ in range(100):
        matrix @ matrix
    ends = CudaMark()
    assert not ends.reached()
    ends.wait()
    assert ends.reached()
    assert ends.seconds_since(begins) > 1e-3


def test_a_machine_with_a_gpu_uses_it():
    assert placement.place(fewer=True).gpus_per_worker == 1
