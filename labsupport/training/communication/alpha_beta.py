"""The alpha-beta model of a collective, and why one pair of numbers is not enough.

`T(s) = alpha + s / bandwidth`: a latency and a rate. On one machine the rate changes where a message stops fitting the
caches, on a cluster where NCCL changes algorithm or protocol, so one line is off by a factor in the middle. Three
models are kept side by side, from the coarsest to the finest: one line, two lines around a knee, and the measured table
itself, interpolated between its points in log-log. `held_out_error` says how far each is off on sizes it has not seen.

Fits minimise relative errors: with absolute ones the largest message decides everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from labsupport.errors import LabsError

MIN_POINTS = 4
POINTS_PER_SIDE = 2  # a line through fewer is no fit


class TimeModel(Protocol):
    """Predicts the seconds that a collective of some bytes takes."""

    def time_s(self, size_bytes: float) -> float: ...


@dataclass(frozen=True)
class AlphaBeta:
    """One latency and one rate."""

    alpha_s: float
    bytes_per_s: float

    def time_s(self, size_bytes: float) -> float:
        return self.alpha_s + size_bytes / self.bytes_per_s


@dataclass(frozen=True)
class Piecewise:
    """Two lines; sizes up to `knee_bytes` belong to the first."""

    knee_bytes: float
    small: AlphaBeta
    large: AlphaBeta

    def time_s(self, size_bytes: float) -> float:
        return (self.small if size_bytes <= self.knee_bytes else self.large).time_s(size_bytes)


@dataclass(frozen=True)
class Table:
    """The measured points; between them a straight line in log-log, beyond them the rate of the last two."""

    sizes_bytes: tuple[float, ...]
    times_s: tuple[float, ...]

    def time_s(self, size_bytes: float) -> float:
        sizes, times = self.sizes_bytes, self.times_s
        if size_bytes <= sizes[0]:
            return times[0]  # latency: a smaller message is not faster
        place = next((i for i, size in enumerate(sizes) if size >= size_bytes), len(sizes) - 1)
        left, right = place - 1, place
        slope = math.log(times[right] / times[left]) / math.log(sizes[right] / sizes[left])
        return times[left] * (size_bytes / sizes[left]) ** slope


def fit_line(sizes_bytes: Sequence[float], times_s: Sequence[float]) -> AlphaBeta:
    """Fit one latency and one rate by least squares of the relative errors; neither comes out negative.

    Raises:
        LabsError: fewer than two different sizes, or a time that is not above 0.
    """
    points = _sorted(sizes_bytes, times_s, at_least=POINTS_PER_SIDE)
    # Weights 1/t turn sum(((a + b s - t) / t)^2) into an ordinary problem with two unknowns.
    ww = sum(1 / t**2 for _, t in points)
    ws = sum(s / t**2 for s, t in points)
    ss = sum(s**2 / t**2 for s, t in points)
    wt, st = sum(1 / t for _, t in points), sum(s / t for s, t in points)
    determinant = ww * ss - ws**2
    alpha, beta = (ss * wt - ws * st) / determinant, (ww * st - ws * wt) / determinant
    if alpha < 0:  # the best line through the origin
        alpha, beta = 0.0, st / ss
    elif beta <= 0:  # flat: as fast as can be told from these sizes
        alpha, beta = wt / ww, 0.0
    return AlphaBeta(alpha, 1 / beta if beta else math.inf)


def fit_piecewise(sizes_bytes: Sequence[float], times_s: Sequence[float]) -> Piecewise:
    """Fit two lines, with the knee between the two sizes at which their relative errors are smallest.

    Raises:
        LabsError: fewer than four different sizes, or a time that is not above 0.
    """
    points = _sorted(sizes_bytes, times_s, at_least=MIN_POINTS)
    best: tuple[float, Piecewise] | None = None
    for cut in range(POINTS_PER_SIDE, len(points) - POINTS_PER_SIDE + 1):
        small, large = points[:cut], points[cut:]
        if len({s for s, _ in small}) < POINTS_PER_SIDE or len({s for s, _ in large}) < POINTS_PER_SIDE:
            continue
        fitted = Piecewise(small[-1][0], fit_line(*zip(*small, strict=True)), fit_line(*zip(*large, strict=True)))
        error = sum(math.log(fitted.time_s(s) / t) ** 2 for s, t in points)
        if best is None or error < best[0]:
            best = error, fitted
    assert best is not None, "four different sizes can be cut into two and two"
    return best[1]


def fit_table(sizes_bytes: Sequence[float], times_s: Sequence[float]) -> Table:
    """Keep the measured points, sorted by size.

    Raises:
        LabsError: fewer than two different sizes, a size twice, or a time that is not above 0.
    """
    points = _sorted(sizes_bytes, times_s, at_least=POINTS_PER_SIDE)
    if len({s for s, _ in points}) < len(points):
        raise LabsError("a size was measured twice: give one time for each size, such as the median")
    return Table(tuple(s for s, _ in points), tuple(t for _, t in points))


@dataclass(frozen=True)
class HeldOut:
    """Predictions at sizes that the fit has not seen."""

    sizes_bytes: tuple[float, ...]
    measured_s: tuple[float, ...]
    predicted_s: tuple[float, ...]

    @property
    def relative_errors(self) -> tuple[float, ...]:
        """Predicted over measured, minus one, for each size."""
        return tuple(p / m - 1 for p, m in zip(self.predicted_s, self.measured_s, strict=True))

    @property
    def largest_error(self) -> float:
        """The largest relative error, without its sign."""
        return max(map(abs, self.relative_errors))


def held_out_error(
    fit: Callable[[Sequence[float], Sequence[float]], TimeModel], sizes_bytes: Sequence[float], times_s: Sequence[float]
) -> HeldOut:
    """Fit on every second size, predict the ones between them.

    The smallest and the largest size are always fitted: predicting beyond what was measured is another question.

    Raises:
        LabsError: too few sizes for the fit.
    """
    points = _sorted(sizes_bytes, times_s, at_least=2 * POINTS_PER_SIDE + 1)
    kept = [point for place, point in enumerate(points) if place % 2 == 0 or place == len(points) - 1]
    unseen = [point for place, point in enumerate(points) if place % 2 == 1 and place != len(points) - 1]
    model = fit(*zip(*kept, strict=True))
    return HeldOut(tuple(s for s, _ in unseen), tuple(t for _, t in unseen), tuple(model.time_s(s) for s, _ in unseen))


def _sorted(sizes_bytes: Sequence[float], times_s: Sequence[float], *, at_least: int) -> list[tuple[float, float]]:
    points = sorted((float(s), float(t)) for s, t in zip(sizes_bytes, times_s, strict=True))
    if len({s for s, _ in points}) < at_least:
        raise LabsError(f"{len({s for s, _ in points})} different sizes were measured: this fit needs {at_least}")
    for size, seconds in points:
        if not (size > 0 and 0 < seconds < math.inf):
            raise LabsError(f"a message of {size:g} bytes in {seconds:g} s: both must be above 0 and finite")
    return points
