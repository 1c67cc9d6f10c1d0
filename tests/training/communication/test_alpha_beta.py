"""The fits find the latency and the rate they were given, and one line cannot follow a knee."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.errors import LabsError
from labsupport.training.communication.alpha_beta import (
    AlphaBeta,
    Piecewise,
    fit_line,
    fit_piecewise,
    fit_table,
    held_out_error,
)

SIZES = [2.0**power for power in range(10, 27)]
KNEE = Piecewise(2**20, AlphaBeta(350e-6, 2.6e9), AlphaBeta(350e-6, 0.6e9))

latencies = st.floats(1e-6, 1e-2)
rates = st.floats(1e8, 1e12)


@given(alpha=latencies, rate=rates)
def test_a_line_without_noise_is_found_again(alpha, rate):
    truth = AlphaBeta(alpha, rate)
    found = fit_line(SIZES, [truth.time_s(size) for size in SIZES])
    for size in SIZES:
        assert found.time_s(size) == pytest.approx(truth.time_s(size), rel=1e-6)


@given(times=st.lists(st.floats(1e-6, 10), min_size=4, max_size=12))
def test_no_fit_predicts_a_negative_time_whatever_was_measured(times):
    sizes = SIZES[: len(times)]
    for fit in (fit_line, fit_piecewise, fit_table):
        assert all(fit(sizes, times).time_s(size) >= 0 for size in (1.0, *sizes, 2.0**40)), fit.__name__


def test_small_messages_count_as_much_as_large_ones():
    times = [KNEE.time_s(size) for size in SIZES]
    assert fit_line(SIZES[:8], times[:8]).alpha_s == pytest.approx(350e-6, rel=1e-6)
    # With absolute errors the largest message would drag the latency far from 350 us.
    assert fit_line(SIZES, times).time_s(SIZES[0]) == pytest.approx(times[0], rel=0.3)


def test_the_knee_is_found_where_the_rate_changes():
    found = fit_piecewise(SIZES, [KNEE.time_s(size) for size in SIZES])
    assert found.knee_bytes == 2**20
    assert (found.small.bytes_per_s, found.large.bytes_per_s) == (pytest.approx(2.6e9), pytest.approx(0.6e9))


def test_across_a_knee_one_line_is_far_off_and_the_finer_models_are_not():
    times = [KNEE.time_s(size) for size in SIZES]
    errors = {fit.__name__: held_out_error(fit, SIZES, times).largest_error for fit in (fit_line, fit_piecewise)}
    assert errors["fit_line"] > 0.2
    assert errors["fit_piecewise"] < 0.01


def test_a_table_goes_through_its_points_and_does_not_make_small_messages_faster():
    table = fit_table([4.0, 1.0, 2.0], [8.0, 1.0, 4.0])
    assert [table.time_s(size) for size in (0.5, 1, 2, 4)] == [1.0, 1.0, 4.0, pytest.approx(8.0)]
    assert table.time_s(math.sqrt(8)) == pytest.approx(math.sqrt(32))
    assert table.time_s(8) == pytest.approx(16)


def test_held_out_sizes_are_the_ones_between_and_never_the_ends():
    held = held_out_error(fit_line, SIZES[:6], [1.0] * 6)
    assert held.sizes_bytes == (SIZES[1], SIZES[3])
    assert held.largest_error == pytest.approx(0, abs=1e-9)


def test_the_sign_of_an_error_says_too_slow_or_too_fast():
    held = held_out_error(fit_line, [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 4.0, 1.0, 0.5, 1.0])
    assert held.relative_errors == (pytest.approx(-0.75, abs=0.01), pytest.approx(1.0, abs=0.02))


@pytest.mark.parametrize(
    ("fit", "sizes", "times", "said"),
    [
        (fit_line, [8, 8], [1, 2], "1 different sizes were measured: this fit needs 2"),
        (fit_piecewise, [8, 16, 32], [1, 2, 3], "3 different sizes were measured: this fit needs 4"),
        (fit_line, [8, 16], [1, 0], "16 bytes in 0 s"),
        (fit_line, [8, 16], [1, float("inf")], "16 bytes in inf s"),
        (fit_line, [0, 16], [1, 1], "0 bytes in 1 s"),
        (fit_table, [8, 8, 16], [1, 2, 3], "a size was measured twice"),
    ],
)
def test_what_cannot_be_fitted_is_refused_by_name(fit, sizes, times, said):
    with pytest.raises(LabsError, match=said):
        fit(sizes, times)
