"""How busy a GPU was goes into the result together with how much of its arithmetic was used."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from labsupport.hardware import GpuMeter
from labsupport.training import device_use
from labsupport.training.data import load_dataset
from labsupport.training.device_use import UtilizationMeter, arithmetic
from labsupport.training.events import EventLog, read_events
from labsupport.training.models.llama_config import PRESETS, flops_per_token
from labsupport.training.result import TrainResult
from labsupport.training.spec import TrainSpec
from labsupport.training.step_log import StepLog


@contextlib.contextmanager
def two_gpus():
    """NVML with an idle device and a busy one."""
    yield SimpleNamespace(
        NVMLError=OSError,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=lambda device: f"GPU-{device}",
        nvmlDeviceGetUtilizationRates=lambda device: SimpleNamespace(gpu=90 * device),
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(used=0),
    )


@pytest.fixture
def busy_gpu(monkeypatch):
    monkeypatch.setattr(device_use, "GpuMeter", partial(GpuMeter, 60.0, library=two_gpus))
    monkeypatch.setattr(device_use, "_uuid", lambda device: "GPU-1")
    return UtilizationMeter(torch.device("cuda"))


def test_only_the_device_of_the_worker_counts_and_not_the_time_before(busy_gpu):
    busy_gpu.begin()
    busy_gpu.begin()
    assert busy_gpu.end() == [0.9]
    assert busy_gpu.end() == []


def test_a_cpu_has_no_utilization():
    meter = UtilizationMeter(torch.device("cpu"))
    meter.begin()
    assert meter.end() == []


def test_the_utilization_is_sampled_from_the_end_of_the_warm_up_to_each_checkpoint(busy_gpu, tmp_path):
    log = EventLog(tmp_path, rank=0)
    steps = StepLog(log, SimpleNamespace(rank=0, world_size=1, device=torch.device("cpu"), sum=lambda values: values))
    steps._utilization = busy_gpu
    for number, checkpoint in ((1, False), (2, True), (3, False), (4, False), (5, True)):
        steps.begins()
        steps.ends(number, 0, torch.tensor(1.0))
        if checkpoint:
            steps.settle()
    log.close()
    sampled = [(one["step"], one["samples"]) for one in read_events(tmp_path) if one["event"] == "utilization"]
    assert sampled == [(5, [0.9])]


def test_the_arithmetic_of_a_sample_is_that_of_the_published_formula(monkeypatch):
    monkeypatch.setattr(device_use, "_product_flops_per_s", lambda device: 1e15)
    spec = TrainSpec(model="llama-tiny", dataset="text", sequence=32)
    samples, info = load_dataset("text", "train", sequence=32)
    found = arithmetic(spec, info, samples[0][0], torch.device("cpu"))
    assert found["device_flops_per_s"] == 1e15
    assert found["flops_per_sample"] == pytest.approx(32 * flops_per_token(PRESETS["llama-tiny"], 32), rel=0.02)


def test_a_batch_of_one_is_counted_for_a_network_with_batch_normalisation_too(monkeypatch):
    monkeypatch.setattr(device_use, "_product_flops_per_s", lambda device: 1e15)
    samples, info = load_dataset("digits", "train")
    assert arithmetic(TrainSpec(width=4), info, samples[0][0], torch.device("cpu"))["flops_per_sample"] > 1e5


def test_a_device_without_room_for_the_matrices_has_no_figures(monkeypatch):
    def full(device):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(device_use, "_product_flops_per_s", full)
    samples, info = load_dataset("digits", "train")
    assert arithmetic(TrainSpec(width=4), info, samples[0][0], torch.device("cpu")) == {}


def result(device: str, *more: dict) -> TrainResult:
    start = {"event": "start", "time": 0.0, "step": 0, "world_size": 2, "device": device}
    steps = [
        {"event": "step", "time": step, "step": step, "loss": (1.0).hex(), "data_s": 0.1, "compute_s": 0.3}
        for step in range(1, 6)
    ]
    return TrainResult(TrainSpec(global_batch=8), Path("a-run"), (start, *steps, *more), 0.9, "", 0.0, 1.0)


def test_a_result_has_all_samples_and_the_share_of_the_arithmetic_of_each_step():
    gpu = result(
        "cuda:0",
        {"event": "utilization", "step": 4, "samples": [0.5, 0.6]},
        {"event": "utilization", "step": 5, "samples": [0.9]},
        {"event": "end", "step": 5, "flops_per_sample": 1e9, "device_flops_per_s": 1e11},
    )
    assert gpu.gpu_utilization == [0.5, 0.6, 0.9]
    assert gpu.mfu == [pytest.approx(20 * 1e9 / (2 * 1e11))] * 2  # 8 samples in 0.4 s on two GPUs, after the warm-up


def test_a_result_of_a_cpu_has_neither():
    cpu = result("cpu", {"event": "end", "step": 5})
    assert (cpu.gpu_utilization, cpu.mfu) == ([], [])
