"""Public seeds are the same few for everybody; hidden ones are distinct, repeatable, and never public."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.course.grading.seeds import HIDDEN_SEEDS, seeds
from labsupport.errors import LabsError


def test_public_seeds_count_from_zero() -> None:
    assert seeds(3) == (0, 1, 2)


@given(root=st.integers(0, 2**64 - 1), count=st.integers(1, 200))
def test_hidden_seeds_are_distinct_repeatable_and_never_public(root: int, count: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HIDDEN_SEEDS, f"{root}:{count}")
        hidden = seeds(20)
        assert len(set(hidden)) == count
        assert all(2**20 <= seed < 2**31 for seed in hidden)
        assert seeds(5) == hidden
        patch.setenv(HIDDEN_SEEDS, f"{root + 1}:{count}")
        assert set(seeds()) != set(hidden)


@pytest.mark.parametrize("value", ["7", "7:0", "7:-1", "a:5", "7:5:3"])
def test_a_malformed_variable_is_named_with_what_is_allowed(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HIDDEN_SEEDS, value)
    with pytest.raises(LabsError, match="root:count"):
        seeds()
