"""Rules about evidence: R6 mixtures, R11 quantiles, R14 availability, R19 how much was measured, R20 what was measured.

Limitations: no formula over counts can tell whether samples are independent. Probes every second during one outage are
one observation.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

from labsupport.receipts.rule import TOLERANCE, Breach, Clause, Rule, Severity, exceeds

SAMPLES_BEYOND = 10  # a quantile rests on at least ten samples beyond it: n >= 10 / (1 - q)
MIN_SAMPLES = 5
MAX_VARIATION = 0.15
EXTREMES = ("max", "min")
CONFIDENCE = 0.95
SIGMA_PER_HALF_IQR = 1 / 0.6745  # of a normal distribution
MINUTES_PER_DAY = 24 * 60


def quantile(samples: Sequence[float], q: float) -> float:
    """Return the smallest sample that at least a share `q` of the samples does not exceed.

    This is the inverse of the empirical distribution, for which rule R6 holds exactly. Estimators that interpolate
    between samples can break it on small parts: two parts of (0, 10) have an interpolated p95 of 9.5, together 10.

    Raises:
        ValueError: no samples, or `q` outside 0 to 1.
    """
    if not samples or not 0 <= q <= 1:
        raise ValueError(f"quantile of {len(samples)} samples at q={q}: needs a sample and a q between 0 and 1")
    rank = math.ceil(round(q * len(samples), 9))  # 0.07 * 100 is 7.000000000000001, and not the eighth sample
    return sorted(samples)[max(1, rank) - 1]


def mixture_lies_between_its_parts(
    whole_quantile: float, part_quantiles: tuple[float, ...], claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Bound a quantile of a mixture by the same quantile of its parts: min <= q <= max."""
    low, high = min(part_quantiles), max(part_quantiles)
    slack = claim_tolerance * max(abs(low), abs(high))
    if low - slack <= whole_quantile <= high + slack:
        return None
    bound = high if whole_quantile > high else low
    parts = ", ".join(f"{part:g}" for part in part_quantiles)
    return Breach(
        whole_quantile, bound, f"the whole has {whole_quantile:g}, its parts {parts}: a mixture lies between its parts"
    )


def quantiles_are_ordered(
    min_ms: float | None = None,
    p50_ms: float | None = None,
    p90_ms: float | None = None,
    p95_ms: float | None = None,
    p99_ms: float | None = None,
    max_ms: float | None = None,
) -> Breach | None:
    """Order quantiles of one distribution: min <= p50 <= p90 <= p95 <= p99 <= max, without tolerance."""
    named = {"min": min_ms, "p50": p50_ms, "p90": p90_ms, "p95": p95_ms, "p99": p99_ms, "max": max_ms}
    stated = [(name, value) for name, value in named.items() if value is not None]
    for (lower, below), (upper, above) in itertools.pairwise(stated):
        if below > above:
            return Breach(below, above, f"{lower} of {below:g} ms lies above {upper} of {above:g} ms")
    return None


def quantiles_have_samples(
    samples: float,
    p50_ms: float | None = None,
    p90_ms: float | None = None,
    p95_ms: float | None = None,
    p99_ms: float | None = None,
    lag_p50_s: float | None = None,
    lag_p99_s: float | None = None,
) -> Breach | None:
    """Ask for n >= 10 / (1 - q) samples: 20 for a p50, 100 for a p90, 200 for a p95, 1000 for a p99."""
    levels = {99: (p99_ms, lag_p99_s), 95: (p95_ms,), 90: (p90_ms,), 50: (p50_ms, lag_p50_s)}
    for percent, values in levels.items():
        needed = SAMPLES_BEYOND * 100 / (100 - percent)
        if samples < needed and any(value is not None for value in values):
            return Breach(samples, needed, f"a p{percent} of {samples:g} samples: it takes {needed:g}")
    return None


def failures_still_possible(observed: int, confidence: float = CONFIDENCE) -> float:
    """Return the most failures one may expect, given those observed: the upper Poisson limit.

    About 3 when none was observed, the "rule of three" (Hanley and Lippman-Hand, JAMA 249, 1983).
    """
    low, high = 0.0, 10.0 + 3.0 * observed
    for _ in range(60):  # halves the interval each time: ends below the last digit of a float
        middle = (low + high) / 2
        term = cumulated = math.exp(-middle)
        for count in range(1, observed + 1):
            term *= middle / count
            cumulated += term
        low, high = (middle, high) if cumulated > 1 - confidence else (low, middle)
    return high


def as_percent(share: float) -> str:
    """Write an availability as people do: 99.9 %, and 99.995 % where it takes more digits."""
    return f"{100 * share:.6g} %"


def availability_has_enough_probes(
    availability: float, probes: float, failed_probes: float = 0, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Ask for the probes that show an availability a at 95 %: n >= 3 / (1 - a) without a failure, more with some."""
    if not 0 <= availability <= 1:
        return None  # R16 says so
    if availability == 1:
        return Breach(
            probes, math.inf, f"an availability of 100 % cannot be shown by {probes:g} probes, nor by any number"
        )
    # Beyond some hundred failures the observed share itself is the limit, and exp(-n) would underflow.
    observed = failed_probes if failed_probes > 500 else failures_still_possible(round(failed_probes))
    needed = observed / (1 - availability)
    if not exceeds(needed, probes, claim_tolerance):
        return None
    return Breach(
        probes,
        needed,
        f"{probes:g} probes with {failed_probes:g} failures do not show {as_percent(availability)}: at 95 % it takes "
        f"{needed:.0f}",
    )


def downtime_follows_from_availability(
    downtime_min: float, availability: float, window_days: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Equate downtime with (1 - availability) * window."""
    computed = (1 - availability) * window_days * MINUTES_PER_DAY
    # 1e-9 absorbs the rounding of 1 - availability, nothing printed is that small.
    if abs(downtime_min - computed) <= claim_tolerance * abs(computed) + 1e-9:
        return None
    return Breach(
        downtime_min,
        computed,
        f"{as_percent(availability)} of {window_days:g} days leave {computed:.3g} min of downtime, printed are "
        f"{downtime_min:.3g}",
    )


def availability_includes_the_outage(availability: float, outage_s: float, observed_s: float) -> Breach | None:
    """Bound availability by the outage inside the window: a <= 1 - outage / window."""
    bound = 1 - outage_s / observed_s
    if availability <= bound + 1e-9:
        return None
    return Breach(
        availability,
        bound,
        f"an outage of {outage_s:g} s in {observed_s:g} s leaves {as_percent(bound)}, "
        f"claimed are {as_percent(availability)}",
    )


def measured_states_its_samples(
    kind: str,
    samples: float | None = None,
    spread: float | None = None,
    measured_value: float | None = None,
    statistic: str = "",
) -> Breach | None:
    """Ask a measured value for n >= 5 and its spread; below that it is shown as "n=..." and is an anecdote.

    The largest or smallest of n samples has no spread of its own, so n is asked for alone. What was counted, and what
    is true or false, is exact: it is what it is without repeats.
    """
    if kind != "measured" or _is_exact(statistic, measured_value):
        return None
    lacks_spread = spread is None and statistic not in EXTREMES
    if samples is not None and samples >= MIN_SAMPLES and not lacks_spread:
        return None
    counted = "without n" if samples is None else f"from n={samples:g}"
    shown = "" if statistic in EXTREMES else ", with no spread" if spread is None else ", with a spread"
    wanted = "" if statistic in EXTREMES else " and the spread"
    return Breach(samples or 0, MIN_SAMPLES, f"measured {counted}{shown}: give n of at least {MIN_SAMPLES}{wanted}")


def _is_exact(statistic: str, value: float | None) -> bool:
    """Say whether a value is a flag or a count, and not a measurement that calls itself one."""
    if value is None:
        return False
    return (statistic == "flag" and value in (0, 1)) or (statistic == "count" and value >= 0 and value.is_integer())


def measured_varies_little(kind: str, measured_value: float, spread: float) -> Breach | None:
    """Ask for a coefficient of variation of at most 15 %, estimated from half of the interquartile range."""
    if kind != "measured" or not exceeds(spread * SIGMA_PER_HALF_IQR, MAX_VARIATION * abs(measured_value), 0):
        return None
    variation = spread * SIGMA_PER_HALF_IQR / abs(measured_value) if measured_value else math.inf
    return Breach(variation, MAX_VARIATION, f"varies by {variation:.0%}: repeat on a quiet machine, or use CPU time")


def measured_states_its_load(kind: str, load_1m: float | None = None) -> Breach | None:
    """Ask a measured value for the load of the machine it was taken on."""
    if kind != "measured" or load_1m is not None:
        return None
    return Breach(0, 1, "measured without load_1m: a busy neighbour would not show")


def value_depends_on_the_work(
    values_with_work: tuple[float, ...], values_without_work: tuple[float, ...]
) -> Breach | None:
    """Ask that a metric changes when its work is taken away: the two sets of values must not overlap."""
    if min(values_with_work) > max(values_without_work) or max(values_with_work) < min(values_without_work):
        return None
    with_work, without = statistics.median(values_with_work), statistics.median(values_without_work)
    return Breach(
        with_work,
        without,
        f"the value is {with_work:.4g} with the work and {without:.4g} without it: it does not come from the work",
    )


_E, _W = Severity.ERROR, Severity.WARNING

RULES = (
    Rule("R6", "a quantile of a mixture lies between its parts", (Clause(_E, mixture_lies_between_its_parts),)),
    Rule(
        "R11",
        "quantiles are ordered and have enough samples",
        (Clause(_E, quantiles_are_ordered, at_least=2), Clause(_E, quantiles_have_samples, at_least=2)),
    ),
    Rule(
        "R14",
        "availability is limited by what was probed",
        (
            Clause(_E, availability_has_enough_probes),
            Clause(_E, downtime_follows_from_availability),
            Clause(_E, availability_includes_the_outage),
        ),
    ),
    Rule(
        "R19",
        "a measurement has repeats, a spread and a load",
        (
            Clause(_W, measured_states_its_samples),
            Clause(_W, measured_varies_little),
            Clause(_W, measured_states_its_load),
        ),
    ),
    Rule("R20", "a number comes from the work it describes", (Clause(_E, value_depends_on_the_work),)),
)
