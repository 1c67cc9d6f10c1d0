from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from labsupport.hardware.gpu import UNNAMED, Gpu, gpus, list_gpus, nvml


class NoSuchFeatureError(Exception):
    """Stands for NVMLError."""


def refuse(*_: Any) -> None:
    raise NoSuchFeatureError


def fake_nvml(**changed: Any) -> Any:
    functions: dict[str, Any] = {
        "NVMLError": NoSuchFeatureError,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlSystemGetDriverVersion": lambda: "570.86",
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda device: f"GPU {device}",
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=80 * 2**30),
    }
    return SimpleNamespace(**(functions | changed))


def test_each_device_has_name_memory_and_driver() -> None:
    assert list_gpus(fake_nvml()) == (Gpu("GPU 0", 80 * 2**30, "570.86"), Gpu("GPU 1", 80 * 2**30, "570.86"))


def test_a_device_without_memory_of_its_own_has_no_size() -> None:
    assert list_gpus(fake_nvml(nvmlDeviceGetMemoryInfo=refuse))[0] == Gpu("GPU 0", None, "570.86")


def test_a_lost_device_or_a_dead_driver_is_no_error() -> None:
    assert list_gpus(fake_nvml(nvmlDeviceGetHandleByIndex=refuse)) == ()
    assert list_gpus(fake_nvml(nvmlDeviceGetCount=refuse)) == ()


def test_a_device_whose_name_or_driver_cannot_be_read_is_still_there() -> None:
    def garbled(*_: Any) -> str:
        return b"\xf8\x95".decode()

    unnamed = list_gpus(fake_nvml(nvmlDeviceGetName=garbled, nvmlSystemGetDriverVersion=garbled))
    assert unnamed == (Gpu(UNNAMED, 80 * 2**30, "unknown"),) * 2
    assert list_gpus(fake_nvml(nvmlDeviceGetName=refuse))[0] == Gpu(UNNAMED, 80 * 2**30, "570.86")


def test_names_that_come_as_bytes_are_decoded() -> None:
    assert list_gpus(fake_nvml(nvmlDeviceGetName=lambda _: b"H100"))[0].name == "H100"


def test_the_real_library_answers_the_same_way_with_and_without_a_driver() -> None:
    with nvml() as library:
        assert gpus() == (() if library is None else list_gpus(library))
