"""A run that cannot work is refused before any process starts, in one line that says what would."""

from __future__ import annotations

import pytest

from labsupport.errors import LabsError
from labsupport.training.spec import TrainSpec


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"num_workers": -1}, r"--num-workers is -1"),
        ({"num_workers": 0}, r"--num-workers is 0"),
        ({"epochs": 0}, r"--epochs is 0"),
        ({"max_steps": 0}, r"--max-steps is 0"),
        ({"dtype": "float16"}, r"float16.*float32, float64"),
        ({"norm": "layer"}, r"layer.*batch, group"),
        ({"checkpoints_to_keep": 1}, r"at least 2"),
        ({"gpus_per_worker": -1}, r"cannot be negative"),
        ({"warmup_fraction": 1.0}, r"warmup-fraction is 1.0"),
    ],
)
def test_an_impossible_spec_names_the_option_its_value_and_what_is_allowed(fields, sentence):
    with pytest.raises(LabsError, match=sentence):
        TrainSpec(**fields)


def test_more_workers_than_cores_are_refused_with_a_number_that_fits():
    with pytest.raises(LabsError, match=r"needs more than the 2 cores.*--num-workers 2"):
        TrainSpec(num_workers=4).check_against(cores=2, gpus=0)
    with pytest.raises(LabsError, match=r"needs more than the 2 cores"):
        TrainSpec(num_workers=9).check_against(cores=2, gpus=0)
    TrainSpec(num_workers=2).check_against(cores=2, gpus=0)


def test_a_batch_that_the_workers_cannot_share_is_refused_with_one_that_they_can():
    with pytest.raises(LabsError, match=r"--global-batch 64 cannot be shared equally by --num-workers 3.*such as 66"):
        TrainSpec(num_workers=3).check_against(cores=4, gpus=0)
    TrainSpec(num_workers=3, global_batch=66).check_against(cores=4, gpus=0)


def test_more_gpus_than_there_are_is_refused():
    with pytest.raises(LabsError, match="needs 2 GPUs, this machine has 0"):
        TrainSpec(num_workers=2, gpus_per_worker=1).check_against(cores=64, gpus=0)


def test_a_spec_survives_the_way_to_a_worker():
    spec = TrainSpec(model="llama-tiny", dataset="text", max_steps=3)
    assert TrainSpec.from_dict(spec.as_dict()) == spec
