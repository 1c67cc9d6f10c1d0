from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.receipts.rules.evidence import (
    failures_still_possible,
    mixture_lies_between_its_parts,
    quantile,
    quantiles_are_ordered,
)

latencies = st.lists(st.floats(0, 1e6), min_size=1, max_size=40)


@given(parts=st.lists(latencies, min_size=1, max_size=5), q=st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_mixture_of_samples_never_breaks_r6(parts: list[list[float]], q: float) -> None:
    whole = quantile([latency for part in parts for latency in part], q)
    assert mixture_lies_between_its_parts(whole, tuple(quantile(part, q) for part in parts), claim_tolerance=0) is None


@given(samples=latencies)
def test_quantiles_of_samples_never_break_r11(samples: list[float]) -> None:
    p50, p90, p95, p99 = (quantile(samples, q) for q in (0.5, 0.9, 0.95, 0.99))
    assert quantiles_are_ordered(min(samples), p50, p90, p95, p99, max(samples)) is None


@given(samples=latencies, percent=st.integers(0, 100))
def test_a_quantile_is_the_smallest_sample_with_its_share_at_or_below(samples: list[float], percent: int) -> None:
    found = quantile(samples, percent / 100)
    assert found in samples
    assert 100 * sum(sample <= found for sample in samples) >= percent * len(samples)
    assert 100 * sum(sample < found for sample in samples) < max(percent, 1) * len(samples)


@pytest.mark.parametrize(("samples", "q"), [([], 0.5), ([1.0], -0.1), ([1.0], 1.1), ([1.0], math.nan)])
def test_a_quantile_of_nothing_is_refused(samples: list[float], q: float) -> None:
    with pytest.raises(ValueError, match="quantile of"):
        quantile(samples, q)


# Half of the 95 % point of the chi-square distribution with 2 (k + 1) degrees of freedom, from its printed table.
@pytest.mark.parametrize(("observed", "limit"), [(0, 2.996), (1, 4.744), (2, 6.296), (5, 10.513), (10, 16.962)])
def test_the_failures_still_possible_are_those_of_the_tables(observed: int, limit: float) -> None:
    assert failures_still_possible(observed) == pytest.approx(limit, abs=0.001)


def test_many_failures_do_not_underflow() -> None:
    assert 500 < failures_still_possible(500) < 600
