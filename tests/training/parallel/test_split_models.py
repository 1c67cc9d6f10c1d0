"""A model that is split over ranks trains as the whole one does: losses and parameters are the same in fp64."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from labsupport.errors import LabsError
from labsupport.training.communication.ranks import run_on_ranks
from labsupport.training.models.llama import Llama
from labsupport.training.parallel.pipeline import Stage
from labsupport.training.parallel.tensor_parallel import split_over_ranks

sys.path.insert(0, str(Path(__file__).parent))  # the ranks are fresh interpreters and import it by name
import split_training

TOLERANCE = 1e-8


@pytest.fixture(scope="module")
def whole():
    return split_training.alone()


def assert_same(state: dict, wanted: dict) -> None:
    assert state.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.allclose(state[name], tensor, rtol=0, atol=TOLERANCE), name


@pytest.fixture(scope="module")
def two_ranks():
    """Start two ranks once and train on them in both ways."""
    return run_on_ranks(split_training.both_ways, 2)


@pytest.mark.slow
def test_tensor_parallel_ranks_hold_half_the_blocks_and_reach_the_same_losses_and_parameters(whole, two_ranks):
    losses, state = whole
    ranks = [rank["tensor parallel"] for rank in two_ranks]
    for rank in ranks:
        assert rank["losses"] == pytest.approx(losses, abs=TOLERANCE)
        assert_same(rank["state"], state)
    config = split_training.CONFIG
    blocks = config.num_hidden_layers * config.layer_matrix_parameters
    assert [rank["parameters"] for rank in ranks] == [config.parameters - blocks // 2] * 2


def assert_same_pipeline(ranks: list, whole: tuple) -> None:
    losses, state = whole
    assert ranks[-1]["losses"] == pytest.approx(losses, abs=TOLERANCE)
    assert all(rank["losses"] == [None] * split_training.STEPS for rank in ranks[:-1])
    together = {name: tensor for rank in ranks for name, tensor in rank["state"].items()}
    assert sum(len(rank["state"]) for rank in ranks) == len(together), "no parameter is held twice"
    assert_same(together, state)


@pytest.mark.slow
def test_two_stages_of_gpipe_reach_the_same_losses_and_together_hold_the_same_parameters(whole, two_ranks):
    assert_same_pipeline([rank["pipeline"] for rank in two_ranks], whole)


@pytest.mark.slow
def test_four_stages_of_1f1b_reach_the_same_losses_and_together_hold_the_same_parameters(whole):
    assert_same_pipeline(run_on_ranks(split_training.pipeline, 4, "1f1b"), whole)


def test_what_cannot_be_split_is_refused_by_name():
    config = split_training.CONFIG
    with pytest.raises(LabsError, match="num_key_value_heads 2 cannot be split over 4 ranks"):
        split_over_ranks(Llama(config), 0, 4)
    with pytest.raises(LabsError, match="num_hidden_layers 4 cannot be split over 3 stages"):
        Stage(Llama(config), 0, 3)
    with pytest.raises(LabsError, match=r"dropout is 0\.1"):
        split_over_ranks(Llama(replace(config, dropout=0.1)), 0, 2)
    with pytest.raises(LabsError, match="dropout and tie_word_embeddings must be off"):
        Stage(Llama(replace(config, tie_word_embeddings=True)), 0, 2)
