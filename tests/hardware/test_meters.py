from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from labsupport.hardware import CpuMeter, GpuMeter, GpuSample, RssMeter

BURN = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"
HOLD = "held = bytearray(b'x' * {mib} * 2**20); print('held', flush=True); input()"
MIB = 2**20


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


class TestCpuMeter:
    def test_work_of_this_process_counts(self) -> None:
        with CpuMeter(threads=1) as meter:
            burn(0.3)
        assert meter.cpu_s == pytest.approx(0.3, abs=0.1)
        assert meter.busy_fraction == pytest.approx(meter.cpu_s / meter.wall_s)

    def test_sleeping_is_not_work(self) -> None:
        with CpuMeter(threads=1) as meter:
            time.sleep(0.3)
        assert meter.cpu_s < 0.15
        assert meter.wall_s >= 0.3

    def test_a_child_that_has_ended_counts_with_its_own_children(self) -> None:
        nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN.format(seconds=0.3)!r}])"
        with CpuMeter() as meter:
            subprocess.run(python(nested), check=True)
        assert meter.cpu_s >= 0.3

    def test_a_live_child_counts_from_the_start_of_the_block_only(self) -> None:
        pause = "print(flush=True); input()\n"
        burn_twice = BURN.format(seconds=1.0) + pause + BURN.format(seconds=0.3) + pause
        with subprocess.Popen(
            python(burn_twice), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdout.readline()
            with CpuMeter() as meter:
                child.stdin.write("go\n")
                child.stdout.readline()
            child.stdin.write("end\n")
        assert 0.25 <= meter.cpu_s < 0.9  # the child had burnt a second before the block

    def test_a_child_of_before_that_ends_inside_counts_its_part_inside(self) -> None:
        code = BURN.format(seconds=0.5) + "print('burnt', flush=True); input()"
        child = subprocess.Popen(python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with child:
            assert child.stdout is not None
            child.stdout.readline()
            with CpuMeter() as meter:
                child.communicate("end\n")
        assert meter.cpu_s < 0.3


class TestRssMeter:
    def test_the_peak_covers_the_children_and_outlives_them(self) -> None:
        with RssMeter(interval_s=0.01) as before:
            pass
        with RssMeter(interval_s=0.01) as meter:
            child = subprocess.Popen(
                python(HOLD.format(mib=100)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            with child:
                assert child.stdout is not None
                child.stdout.readline()
                time.sleep(0.1)
                child.communicate("end\n")
        assert meter.peak_bytes >= before.peak_bytes + 100 * MIB
        assert meter.samples > 2

    def test_the_thread_ends_with_the_block_even_on_an_error(self) -> None:
        threads = threading.active_count()
        with pytest.raises(ValueError, match="inside"), RssMeter(interval_s=0.01):
            raise ValueError("inside")
        assert threading.active_count() == threads

    def test_processes_that_come_and_go_while_sampling_do_no_harm(self) -> None:
        with RssMeter(interval_s=0.001) as meter, CpuMeter():
            for _ in range(60):
                subprocess.run(["true"], check=True)
        assert meter.samples > 2


class NoSuchFeatureError(Exception):
    """Stands for NVMLError."""


def fake_nvml(**changed: Any) -> Any:
    functions: dict[str, Any] = {
        "NVMLError": NoSuchFeatureError,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUtilizationRates": lambda device: SimpleNamespace(gpu=50 + 20 * device),
        "nvmlDeviceGetMemoryInfo": lambda device: SimpleNamespace(used=(1 + device) * MIB),
    }

    @contextlib.contextmanager
    def opened() -> Iterator[Any]:
        yield SimpleNamespace(**(functions | changed))

    return opened


class TestGpuMeter:
    def test_without_a_gpu_nothing_is_invented(self) -> None:
        with GpuMeter(library=contextlib.nullcontext) as meter:
            pass
        assert (meter.available, meter.samples) == (False, ())
        assert (meter.mean_utilization, meter.peak_memory_bytes) == (None, None)

    def test_a_driver_without_devices_is_no_gpu(self) -> None:
        with GpuMeter(library=fake_nvml(nvmlDeviceGetCount=lambda: 0)) as meter:
            pass
        assert (meter.available, meter.samples) == (False, ())

    def test_every_device_is_sampled_at_both_ends(self) -> None:
        with GpuMeter(interval_s=60.0, library=fake_nvml()) as meter:
            pass
        assert meter.available
        assert [(one.device, one.utilization, one.memory_bytes) for one in meter.samples] == [
            (0, 0.5, MIB),
            (1, 0.7, 2 * MIB),
        ] * 2
        assert meter.mean_utilization == pytest.approx(0.6)
        assert meter.peak_memory_bytes == 2 * MIB

    @pytest.mark.parametrize(("uuid", "devices"), [("GPU-1", [1, 1]), ("GPU-7", [])])
    def test_one_device_can_be_chosen(self, uuid: str, devices: list[int]) -> None:
        library = fake_nvml(nvmlDeviceGetUUID=lambda device: f"GPU-{device}")
        with GpuMeter(interval_s=60.0, uuid=uuid, library=library) as meter:
            pass
        assert [one.device for one in meter.samples] == devices
        assert meter.available == bool(devices)

    def test_a_value_that_the_device_does_not_offer_is_none(self) -> None:
        def refuse(_: object) -> None:
            raise NoSuchFeatureError

        with GpuMeter(interval_s=60.0, library=fake_nvml(nvmlDeviceGetUtilizationRates=refuse)) as meter:
            pass
        assert meter.samples[0] == GpuSample(meter.samples[0].at_s, 0, None, MIB)
        assert meter.mean_utilization is None

    def test_the_real_library_never_raises(self) -> None:
        with GpuMeter(interval_s=0.05) as meter:
            time.sleep(0.1)
        assert meter.available == bool(meter.samples)
