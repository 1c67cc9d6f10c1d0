"""A model is chosen by name and shaped by its data set; equal arguments give equal weights."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from labsupport.errors import LabsError
from labsupport.hardware import machine
from labsupport.training import models
from labsupport.training.data.info import DatasetInfo, Task
from labsupport.training.models import MODELS, build_model, check_model, check_share, loss_function

FACTS = {"num_samples": 100, "source": "this test", "licence": "none"}
IMAGES = DatasetInfo(name="pictures", task=Task.CLASSIFICATION, num_classes=7, channels=1, image_size=8, **FACTS)
TEXT = DatasetInfo(name="letters", task=Task.LANGUAGE_MODELLING, vocabulary=40, **FACTS)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_every_name_builds_a_model_that_answers_its_task():
    for name, task in MODELS.items():
        with torch.device("meta"):
            if task is Task.CLASSIFICATION:
                outputs = build_model(name, IMAGES)(torch.empty(2, 1, 8, 8))
                assert outputs.shape == (2, 7)
            elif name == "llama-tiny":
                assert build_model(name, TEXT)(torch.zeros(2, 5, dtype=torch.int64)).shape == (2, 5, 40)
            else:
                assert next(build_model(name, TEXT).parameters()).is_meta


def test_the_stem_follows_the_size_of_the_images():
    with torch.device("meta"):
        small = build_model("resnet18", replace(IMAGES, image_size=64))
        large = build_model("resnet18", replace(IMAGES, image_size=65))
    assert small.conv1.stride == (1, 1)
    assert large.conv1.stride == (2, 2)


@pytest.mark.parametrize(("name", "info"), [("resnet18", IMAGES), ("llama-tiny", TEXT)])
def test_weights_are_decided_by_the_seed_and_leave_the_global_random_numbers_alone(name, info):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = weights(build_model(name, info, seed=3, width=8))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(weights(build_model(name, info, seed=3, width=8)), first)
    assert not torch.equal(weights(build_model(name, info, seed=4, width=8)), first)


def test_double_precision_starts_at_the_same_weights_as_single():
    single = weights(build_model("resnet18", IMAGES, width=8))
    double = weights(build_model("resnet18", IMAGES, width=8, dtype=torch.float64))
    assert double.dtype == torch.float64
    assert torch.equal(double, single.double())


def test_width_norm_and_dropout_reach_the_model():
    narrow = build_model("resnet18", IMAGES, width=8, norm="group")
    assert isinstance(narrow.bn1, torch.nn.GroupNorm)
    assert narrow.fc.in_features == 64
    assert build_model("llama-tiny", TEXT, dropout=0.25).config.dropout == 0.25


@pytest.mark.parametrize(
    ("name", "info", "sentence"),
    [
        ("resnet81", IMAGES, r"'resnet81' is unknown: did you mean resnet18\?.*resnet34, resnet50, llama-tiny"),
        ("bert-large", TEXT, r"'bert-large' is unknown: The models are resnet18"),
        ("resnet18", TEXT, r"resnet18 is for classification, data set letters for language-modelling: use llama-tiny"),
        ("llama-tiny", IMAGES, r"llama-tiny is for language-modelling.*use resnet18, resnet34, resnet50"),
    ],
)
def test_a_model_that_cannot_be_is_refused_with_those_that_can(name, info, sentence):
    with pytest.raises(LabsError, match=sentence):
        check_model(name, info)
    with pytest.raises(LabsError, match=sentence):
        build_model(name, info)


def test_an_unknown_norm_is_refused():
    with pytest.raises(LabsError, match="norm 'layer' is unknown: one of batch, group"):
        build_model("resnet18", IMAGES, norm="layer")


def test_a_vocabulary_larger_than_the_published_one_is_refused():
    with pytest.raises(LabsError, match=r"letters has 100000 tokens, model llama-2-7b knows only 32000"):
        build_model("llama-2-7b", replace(TEXT, vocabulary=100_000))


def test_a_model_larger_than_memory_is_refused_before_it_is_built(monkeypatch):
    laptop = replace(machine(), memory_bytes=16 * 2**30, memory_limit_bytes=None, gpus=())
    monkeypatch.setattr(models, "machine", lambda: laptop)
    with pytest.raises(LabsError, match=r"llama-2-7b needs 81 GB for weights, gradients and momentum.*here is 17 GB"):
        check_model("llama-2-7b", TEXT)
    with pytest.raises(LabsError, match=r"llama-2-7b has 27 GB of float32 weights, this machine 17 GB"):
        build_model("llama-2-7b", TEXT)
    check_model("llama-tiny", TEXT)
    with pytest.raises(LabsError, match=r"resnet50 needs \d+ GB for weights.*use a smaller width"):
        check_model("resnet50", IMAGES, width=1024)
    check_model("resnet50", IMAGES)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
@pytest.mark.parametrize(("size", "smallest_share"), [(1, 2), (8, 2), (9, 1), (16, 1), (64, 1), (65, 1)])
def test_a_share_that_batch_normalisation_cannot_normalise_is_refused_and_no_other(name, size, smallest_share):
    info = replace(IMAGES, image_size=size)
    model = build_model(name, info, width=1)
    for share in (1, 2):
        images = torch.zeros(share, 1, size, size)
        if share < smallest_share:
            with pytest.raises(ValueError, match="more than 1 value per channel"):
                model(images)
            with pytest.raises(LabsError, match=r"global_batch 3 over num_workers 3 .* of at least 6, or norm group"):
                check_share(name, info, norm="batch", global_batch=3 * share, num_workers=3)
        else:
            model(images)
            check_share(name, info, norm="batch", global_batch=3 * share, num_workers=3)


def test_group_normalisation_and_a_language_model_take_one_sample():
    check_share("resnet18", IMAGES, norm="group", global_batch=2, num_workers=2)
    check_share("llama-tiny", TEXT, norm="batch", global_batch=2, num_workers=2)


@pytest.mark.parametrize(
    ("task", "shape", "classes"), [(Task.CLASSIFICATION, (6,), 7), (Task.LANGUAGE_MODELLING, (2, 3), 40)]
)
def test_the_loss_of_a_guess_without_knowledge_is_the_logarithm_of_the_choices(task, shape, classes):
    loss = loss_function(task)(torch.zeros(*shape, classes), torch.zeros(shape, dtype=torch.int64))
    assert loss.item() == pytest.approx(math.log(classes))


def test_the_loss_is_a_mean_so_that_equal_shares_average_to_the_whole():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 5, 9, generator=generator, dtype=torch.float64)
    targets = torch.randint(9, (4, 5), generator=generator)
    loss = loss_function(Task.LANGUAGE_MODELLING)
    halves = (loss(logits[:2], targets[:2]) + loss(logits[2:], targets[2:])) / 2
    torch.testing.assert_close(loss(logits, targets), halves)


def test_naming_models_and_data_sets_does_not_import_torch():
    code = (
        "import sys, labsupport.training.models, labsupport.training.data, labsupport.training.models.llama_config\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
