"""A run that cannot work is refused before any process starts, in one line that says what would."""

from __future__ import annotations

import ast
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import labsupport.training
from labsupport.errors import LabsError
from labsupport.spec import settings
from labsupport.training.spec import LARGEST_SEED, TrainSpec

WHOLE_FROM_1 = (
    "num_workers", "epochs", "max_steps", "global_batch", "base_batch", "threads_per_worker", "checkpoint_every",
    "sequence", "image_size",
)  # fmt: skip
FLOATS = ("base_lr", "warmup_fraction", "momentum", "weight_decay", "dropout")


def refusal(**fields) -> str:
    with pytest.raises(LabsError) as caught:
        TrainSpec(**fields)
    return str(caught.value)


@pytest.mark.parametrize("field", WHOLE_FROM_1)
@pytest.mark.parametrize("value", [0, -1, 1.5, 2.0, True, "3", math.nan])
def test_sizes_and_counts_are_whole_numbers_from_1(field, value):
    shown = repr(value) if isinstance(value, str) else str(value)
    assert refusal(**{field: value}) == f"{field} is {shown}: a whole number of at least 1 is needed"


@pytest.mark.parametrize("field", FLOATS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, "x", True, None, 10**400, [0.1]])
def test_rates_are_finite_numbers_of_at_least_0(field, value):
    assert refusal(**{field: value}).startswith(f"{field} is ")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"base_lr": 0}, "base_lr is 0: a number above 0 is needed"),
        ({"dropout": 3}, "dropout is 3: a number of at least 0 and below 1 is needed"),
        ({"dropout": 1.0}, "dropout is 1: a number of at least 0 and below 1 is needed"),
        ({"momentum": 1}, "momentum is 1: a number of at least 0 and below 1 is needed"),
        ({"warmup_fraction": 1.0}, "warmup_fraction is 1: a number of at least 0 and below 1 is needed"),
        ({"weight_decay": math.nan}, "weight_decay is nan: a number of at least 0 is needed"),
        ({"checkpoints_to_keep": 1}, "checkpoints_to_keep is 1: a whole number of at least 2 is needed"),
        ({"width": 0}, "width is 0: a whole number of at least 1 and at most 4096 is needed"),
        ({"width": 5000}, "width is 5000: a whole number of at least 1 and at most 4096 is needed"),
        ({"gpus_per_worker": -1}, "gpus_per_worker is -1: a whole number of at least 0 is needed"),
        ({"max_failures": -1}, "max_failures is -1: a whole number of at least 0 is needed"),
        ({"dtype": "float16"}, "dtype is 'float16': one of float32, float64 is needed"),
        ({"dtype": None}, "dtype is None: one of float32, float64 is needed"),
        ({"norm": "layer"}, "norm is 'layer': one of batch, group is needed"),
        ({"seed": -1}, f"seed is -1: a whole number of at least 0 and at most {LARGEST_SEED} is needed"),
        ({"seed": 2**64}, f"seed is {2**64}: a whole number of at least 0 and at most {LARGEST_SEED} is needed"),
        ({"augment": 1}, "augment is 1: True or False is needed"),
        ({"deterministic": "no"}, "deterministic is 'no': True or False is needed"),
        ({"model": 18}, "model is 18: text is needed"),
        ({"dataset": ""}, "dataset is '': text is needed"),
        ({"columns": "image"}, "columns is 'image': a mapping of text to text is needed"),
        ({"columns": {"image": 3}}, "columns is {'image': 3}: a mapping of text to text is needed"),
        ({"columns": {"picture": "img"}}, "columns picture=img: the roles are image, label, text"),
    ],
)
def test_an_impossible_value_is_refused_with_its_field_and_what_is_allowed(fields, sentence):
    assert refusal(**fields) == sentence


def test_a_refused_value_of_any_length_leaves_one_short_line():
    said = refusal(seed="one\ntwo " * 100)
    assert "\n" not in said
    assert len(said) < 200


def test_values_of_numpy_and_pathlib_become_plain_ones_that_json_can_hold():
    spec = TrainSpec(epochs=np.int64(3), base_lr=np.float64(0.5), momentum=0, data_root=Path("/data"))
    stored = json.loads(json.dumps(spec.as_dict()))
    assert (stored["epochs"], stored["base_lr"], stored["momentum"], stored["data_root"]) == (3, 0.5, 0.0, "/data")
    assert TrainSpec.from_dict(stored) == spec


def test_every_field_says_what_it_is_for_and_has_a_default_that_it_accepts():
    for field in settings(TrainSpec):
        assert field.help
        assert field.accept(field.default) == field.default


def test_more_workers_than_cores_are_refused_with_numbers_that_fit():
    with pytest.raises(LabsError, match=r"needs more than the 2 cores of this machine: use num_workers 2$"):
        TrainSpec(num_workers=4).assert_fits(cores=2, gpus=0)
    with pytest.raises(LabsError, match=r"needs more than the 2 cores"):
        TrainSpec(num_workers=9).assert_fits(cores=2, gpus=0)
    TrainSpec(num_workers=2).assert_fits(cores=2, gpus=0)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("cores", [1, 2, 5])
def test_the_advice_for_too_few_cores_fits_and_is_never_what_was_asked_for(workers, threads, cores):
    spec = TrainSpec(num_workers=workers, threads_per_worker=threads)
    if workers * threads <= cores:
        return spec.assert_fits(cores=cores, gpus=0)
    with pytest.raises(LabsError) as caught:
        spec.assert_fits(cores=cores, gpus=0)
    words = str(caught.value).partition(": use ")[2].split()
    advised = {word: int(words[at + 1]) for at, word in enumerate(words) if word in spec.as_dict()}
    assert advised
    return TrainSpec(**{"num_workers": workers, "threads_per_worker": threads, **advised}).assert_fits(cores, gpus=0)


def test_a_batch_that_the_workers_cannot_share_is_refused_with_one_that_they_can():
    with pytest.raises(LabsError, match=r"global_batch 64 cannot be shared equally by num_workers 3.*such as 66"):
        TrainSpec(num_workers=3).assert_fits(cores=4, gpus=0)
    TrainSpec(num_workers=3, global_batch=66).assert_fits(cores=4, gpus=0)


def test_more_gpus_than_there_are_is_refused():
    with pytest.raises(LabsError, match="needs 2 GPUs, none can be used here"):
        TrainSpec(num_workers=2, gpus_per_worker=1).assert_fits(cores=64, gpus=0)
    with pytest.raises(LabsError, match="needs 2 GPUs, 1 can be used here"):
        TrainSpec(num_workers=2, gpus_per_worker=1).assert_fits(cores=64, gpus=1)
    TrainSpec(num_workers=2, gpus_per_worker=1).assert_fits(cores=1, gpus=2)


def test_a_spec_survives_the_way_to_a_worker():
    spec = TrainSpec(model="llama-tiny", dataset="text", max_steps=3, columns={"text": "body"})
    assert TrainSpec.from_dict(spec.as_dict()) == spec


@pytest.mark.parametrize(
    ("name", "hint"), [("lr", "the fields are model, dataset"), ("number_workers", "did you mean num_workers?")]
)
def test_a_stored_spec_with_an_unknown_field_is_refused_by_its_name(name, hint):
    with pytest.raises(LabsError, match=rf"no field '{name}'") as caught:
        TrainSpec.from_dict({**TrainSpec().as_dict(), name: 3})
    assert hint in str(caught.value)


def test_a_stored_value_that_is_not_allowed_is_refused_by_its_field():
    with pytest.raises(LabsError, match="epochs is 0"):
        TrainSpec.from_dict({**TrainSpec().as_dict(), "epochs": 0})


def test_a_field_that_a_stored_spec_does_not_have_yet_has_its_default():
    stored = TrainSpec(epochs=7).as_dict()
    del stored["deterministic"]
    assert TrainSpec.from_dict(stored) == TrainSpec(epochs=7)


def test_no_message_below_the_command_line_spells_a_field_as_an_option():
    flags = re.compile("|".join(rf"--{one.name.replace('_', '-')}\b" for one in settings(TrainSpec)))
    found = [
        (path.name, node.lineno, node.value)
        for path in sorted(Path(labsupport.training.__path__[0]).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and flags.search(node.value)
    ]
    assert found == []
