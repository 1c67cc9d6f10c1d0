from __future__ import annotations

import pytest

from labsupport.errors import LabsError
from labsupport.hardware import Gpu, Profile, profile
from labsupport.hardware.profile import choose

GPUS = (Gpu("NVIDIA L4", 24 * 2**30, "570.86"),)


@pytest.mark.parametrize(
    ("environment", "devices", "torch_version", "name"),
    [
        ({}, (), "2.13.0+cpu", "cpu"),
        ({}, GPUS, "2.13.0", "gpu"),
        ({}, GPUS, None, "gpu"),
        ({"LABS_PROFILE": ""}, GPUS, "2.13.0", "gpu"),
        ({"LABS_PROFILE": "smoke"}, GPUS, "2.13.0", "smoke"),
        ({"LABS_PROFILE": "cpu"}, GPUS, "2.13.0", "cpu"),
        ({"LABS_PROFILE": "gpu"}, (), "2.13.0+cpu", "gpu"),
        ({"CUDA_VISIBLE_DEVICES": ""}, GPUS, "2.13.0", "cpu"),
        ({"CUDA_VISIBLE_DEVICES": "0"}, GPUS, "2.13.0", "gpu"),
        ({}, GPUS, "2.13.0+cpu", "cpu"),
    ],
)
def test_the_setting_decides_and_else_what_can_be_used(
    environment: dict[str, str], devices: tuple[Gpu, ...], torch_version: str | None, name: str
) -> None:
    chosen = choose(environment, devices, torch_version)
    assert chosen.name == name
    assert chosen.why


def test_a_gpu_left_unused_is_explained() -> None:
    assert "CPU build" in choose({}, GPUS, "2.13.0+cpu").why


def test_an_unknown_profile_names_its_value_and_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABS_PROFILE", "huge")
    with pytest.raises(LabsError, match=r"'huge'.*smoke, cpu, gpu"):
        profile()


def test_the_environment_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABS_PROFILE", "gpu")
    assert profile().name == "gpu"
    monkeypatch.delenv("LABS_PROFILE")
    assert profile().name in ("cpu", "gpu")


def test_pick_falls_back_from_gpu_to_cpu_only() -> None:
    assert [Profile(name, "").pick(smoke=1, cpu=2, gpu=3) for name in ("smoke", "cpu", "gpu")] == [1, 2, 3]
    assert Profile("gpu", "").pick(smoke=1, cpu=2) == 2
    assert Profile("gpu", "").pick(smoke=1, cpu=2, gpu=0) == 0
