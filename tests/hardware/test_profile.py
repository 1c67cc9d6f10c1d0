from __future__ import annotations

import pytest

from labsupport.errors import LabsError
from labsupport.hardware import Gpu, Profile, profile
from labsupport.hardware.profile import choose, count_usable

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
        ({"CUDA_VISIBLE_DEVICES": "-1"}, GPUS, "2.13.0", "cpu"),
        ({"CUDA_VISIBLE_DEVICES": "7"}, GPUS, "2.13.0", "cpu"),
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


@pytest.mark.parametrize(
    ("visible", "devices", "torch_version", "usable"),
    [
        (None, 2, "2.13.0", 2),
        (None, 2, None, 2),
        (None, 2, "2.13.0+cpu", 0),
        (None, 0, "2.13.0", 0),
        ("", 2, "2.13.0", 0),
        ("-1", 2, "2.13.0", 0),
        ("1", 2, "2.13.0", 1),
        ("0, 1", 2, "2.13.0", 2),
        ("0,-1,1", 2, "2.13.0", 1),
        ("0,7", 2, "2.13.0", 1),
        ("GPU-8932f937,1", 2, "2.13.0", 2),
        ("0,1", 1, "2.13.0", 1),
    ],
)
def test_the_gpus_that_can_be_used_are_those_that_cuda_would_show(
    visible: str | None, devices: int, torch_version: str | None, usable: int
) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert count_usable(environment, devices, torch_version) == usable


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
