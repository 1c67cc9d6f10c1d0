"""One writer per epoch, epochs that only grow, each resource by itself."""

from __future__ import annotations

import random

import pytest

from labsupport.faults.histories.history import Accepted
from labsupport.faults.histories.single_writer import SingleWriter, single_writer_violation


def accepts(*writes: tuple) -> list[Accepted]:
    """Return accepted writes from (epoch, writer) or (epoch, writer, resource), a second apart."""
    return [
        Accepted(*(more or ["store"]), epoch, writer, float(at)) for at, (epoch, writer, *more) in enumerate(writes)
    ]


@pytest.mark.parametrize(
    "writes",
    [
        [],
        [(1, "a"), (1, "a")],
        [(1, "a"), (2, "b"), (5, "a")],
        [(1, "a"), (1, "b", "other")],
        [(2, "a"), (1, "b", "other")],
    ],
)
def test_what_keeps_the_rules_is_no_violation(writes):
    assert single_writer_violation(accepts(*writes)) is None


def test_two_writers_in_one_epoch_are_a_split_brain():
    wrong = single_writer_violation(accepts((1, "a"), (2, "a"), (2, "b")))
    assert wrong == "store: two writers in epoch 2: b was accepted at 2.000 s, after a"


def test_an_epoch_after_a_later_one_is_a_stale_writer():
    wrong = single_writer_violation(accepts((1, "a"), (2, "b"), (1, "a")))
    assert wrong == "store: a was accepted with epoch 1 at 2.000 s, after b with epoch 2 at 1.000 s"


def test_an_epoch_that_was_skipped_and_comes_back_is_stale_even_from_the_same_writer():
    assert "with epoch 2" in single_writer_violation(accepts((1, "a"), (3, "a"), (2, "a")))


def test_the_first_violation_is_told():
    assert "at 1.000 s" in single_writer_violation(accepts((1, "a"), (1, "b"), (0, "c")))


def test_writes_may_be_judged_one_by_one():
    rules = SingleWriter()
    assert [rules.accept(accepted) is None for accepted in accepts((1, "a"), (2, "b"), (1, "a"))] == [True, True, False]


def test_it_agrees_with_the_definition_on_random_writes():
    for seed in range(2000):
        draw = random.Random(seed)
        writes = [(draw.randint(1, 3), draw.choice("ab"), draw.choice("xy")) for _ in range(draw.randint(0, 5))]
        judged = accepts(*writes)
        pairs = [(one, other) for n, one in enumerate(judged) for other in judged[:n] if one.resource == other.resource]
        broken = any(
            one.epoch < other.epoch or (one.epoch == other.epoch and one.writer != other.writer) for one, other in pairs
        )
        assert (single_writer_violation(judged) is not None) == broken, writes
