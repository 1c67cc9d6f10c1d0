"""Linear scaling, warm-up and a half cosine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.training.learning_rate import learning_rate


@given(ratio=st.integers(1, 64), warmup=st.integers(0, 50), rest=st.integers(1, 200))
def test_the_rate_rises_to_the_scaled_peak_and_falls_to_zero(ratio, warmup, rest):
    total = warmup + rest
    rates = [
        learning_rate(step, base_lr=0.1, base_batch=32, global_batch=32 * ratio, warmup_steps=warmup, total_steps=total)
        for step in range(total + 1)
    ]
    assert max(rates) == pytest.approx(0.1 * ratio)
    assert rates[warmup] == pytest.approx(0.1 * ratio)
    assert rates[: warmup + 1] == sorted(rates[: warmup + 1])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert rates[-1] == pytest.approx(0)


@pytest.mark.parametrize(("warmup_steps", "total_steps", "batch"), [(10, 10, 32), (-1, 10, 32), (0, 10, 0)])
def test_an_impossible_schedule_is_refused(warmup_steps, total_steps, batch):
    with pytest.raises(ValueError, match=r"warmup_steps|batch"):
        learning_rate(
            0, base_lr=0.1, base_batch=32, global_batch=batch, warmup_steps=warmup_steps, total_steps=total_steps
        )
