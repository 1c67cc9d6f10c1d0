"""Rules about scaling: R4 efficiency is what its own numbers give, R5 efficiency does not rise with the workers.

R5 warns and does not refuse, since super-linear speed-up exists: the state of each worker may start to fit a cache or
the memory.
"""

from __future__ import annotations

import itertools

from labsupport.receipts.rule import TOLERANCE, Breach, Clause, Rule, Severity, differs, exceeds

MODES = ("strong", "weak")


def efficiency_follows_from_speedup(
    scaling_efficiency: float, speedup: float, workers: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Equate efficiency with speed-up per worker: eff = S / N."""
    return _recomputed(
        scaling_efficiency, speedup / workers, f"a speed-up of {speedup:g} on {workers:g}", claim_tolerance
    )


def efficiency_follows_from_times(
    scaling_efficiency: float,
    one_worker_s: float,
    all_workers_s: float,
    workers: float,
    scaling_mode: str = "strong",
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Equate efficiency with the times: T1 / (N * TN) for one problem (strong), T1 / TN for one per worker (weak)."""
    divisor = 1 if scaling_mode == "weak" else workers
    computed = one_worker_s / (divisor * all_workers_s)
    shown = f"{one_worker_s:g} s on one worker and {all_workers_s:g} s on {workers:g} ({scaling_mode})"
    return _recomputed(scaling_efficiency, computed, shown, claim_tolerance)


def efficiency_follows_from_throughput(
    scaling_efficiency: float,
    one_worker_work_per_s: float,
    work_per_s: float,
    workers: float,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Equate efficiency with throughput per worker: eff = throughput of N / (N * throughput of 1)."""
    computed = work_per_s / (workers * one_worker_work_per_s)
    shown = f"{one_worker_work_per_s:.4g}/s on one worker and {work_per_s:.4g}/s on {workers:g}"
    return _recomputed(scaling_efficiency, computed, shown, claim_tolerance)


def efficiency_states_its_mode(scaling_efficiency: float, workers: float, scaling_mode: str = "") -> Breach | None:
    """Ask whether the whole problem (strong) or the problem per worker (weak) was kept: the two differ."""
    if workers == 1 or scaling_mode in MODES:
        return None
    return Breach(
        scaling_efficiency,
        1.0,
        f"an efficiency at {workers:g} workers with scaling_mode {scaling_mode!r}: say 'strong' or 'weak'",
    )


def _recomputed(printed: float, computed: float, shown: str, claim_tolerance: float) -> Breach | None:
    if not differs(printed, computed, claim_tolerance):
        return None
    return Breach(printed, computed, f"efficiency is printed as {printed:.3g}, {shown} give {computed:.3g}")


def efficiency_does_not_rise(
    worker_counts: tuple[float, ...], efficiencies: tuple[float, ...], claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Bound each efficiency by that of fewer workers: eff(N) <= eff(M) + noise for N > M."""
    if len(worker_counts) != len(efficiencies):
        counted = f"{len(worker_counts)} worker counts and {len(efficiencies)} efficiencies"
        return Breach(
            len(efficiencies), len(worker_counts), f"{counted} are not a curve: give one efficiency per count"
        )
    curve = _curve(worker_counts, efficiencies)
    for (fewer, before), (more, after) in itertools.pairwise(curve):
        if exceeds(after, before, claim_tolerance):
            return Breach(
                after,
                before,
                f"efficiency rises from {before:.3g} at {fewer:g} workers to {after:.3g} at {more:g}; name the cause",
            )
    return None


def efficiency_is_at_most_one(
    scaling_efficiency: float, workers: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Ask for the cause of super-linear scaling: eff <= 1, the same as a serial fraction e >= 0."""
    if not exceeds(scaling_efficiency, 1, claim_tolerance):
        return None
    return Breach(
        scaling_efficiency,
        1.0,
        f"an efficiency of {scaling_efficiency:.3g} at {workers:g} workers is super-linear; name the cause",
    )


def serial_fraction(speedup: float, workers: float) -> float:
    """Return the serial fraction that a speed-up implies: e = (1/S - 1/N) / (1 - 1/N), for N > 1.

    Source: Karp and Flatt, CACM 33(5), 1990.
    """
    return (1 / speedup - 1 / workers) / (1 - 1 / workers)


def serial_fraction_does_not_fall(
    worker_counts: tuple[float, ...],
    efficiencies: tuple[float, ...],
    scaling_mode: str,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Ask for a cause when the Karp-Flatt fraction falls with N, beyond what noise in the efficiencies can do.

    Strong scaling only: at a constant weak-scaling efficiency the fraction falls by construction.
    """
    if scaling_mode != "strong" or len(worker_counts) != len(efficiencies):
        return None
    curve = [(workers, efficiency) for workers, efficiency in _curve(worker_counts, efficiencies) if workers > 1]
    for (fewer, before), (more, after) in itertools.pairwise(curve):
        at_least = serial_fraction(before * (1 + claim_tolerance) * fewer, fewer)
        at_most = serial_fraction(after * (1 - claim_tolerance) * more, more)
        if at_most < at_least:
            return Breach(
                serial_fraction(after * more, more),
                serial_fraction(before * fewer, fewer),
                f"the serial fraction falls between {fewer:g} and {more:g} workers: the parts that do not "
                "parallelise became cheaper; name the cause",
            )
    return None


def speedup_obeys_amdahl(
    speedup: float, workers: float, serial_fraction: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Bound the speed-up by the stated serial fraction: S <= 1 / (s + (1 - s) / N) (Amdahl 1967)."""
    bound = 1 / (serial_fraction + (1 - serial_fraction) / workers)
    if not exceeds(speedup, bound, claim_tolerance):
        return None
    return Breach(
        speedup,
        bound,
        f"with a serial fraction of {serial_fraction:.3g}, {workers:g} workers reach at most {bound:.3g} times, "
        f"not {speedup:.3g}",
    )


def _curve(worker_counts: tuple[float, ...], efficiencies: tuple[float, ...]) -> list[tuple[float, float]]:
    return sorted(zip(worker_counts, efficiencies, strict=True))


_E, _W = Severity.ERROR, Severity.WARNING

RULES = (
    Rule(
        "R4",
        "efficiency is what its own numbers give",
        (
            Clause(_E, efficiency_follows_from_speedup),
            Clause(_E, efficiency_follows_from_times),
            Clause(_E, efficiency_follows_from_throughput),
            Clause(_E, efficiency_states_its_mode),
        ),
    ),
    Rule(
        "R5",
        "efficiency does not rise with the workers",
        (
            Clause(_W, efficiency_does_not_rise),
            Clause(_W, efficiency_is_at_most_one),
            Clause(_W, serial_fraction_does_not_fall),
            Clause(_W, speedup_obeys_amdahl),
        ),
    ),
)
