"""Rule R18: a faster inference engine has a cause and a baseline."""

from __future__ import annotations

from labsupport.receipts.rule import TOLERANCE, Breach, Clause, Rule, Severity, exceeds

# On a quiet machine the wall-clock and the CPU-time ratio of two engines agree within a few percent; a fifth apart is
# interference from a neighbour, or a different number of threads.
CPU_TIME_TOLERANCE = 0.20


def engine_speedup_has_a_cause(
    engine_speedup: float,
    baseline_weight_bytes: float | None = None,
    engine_weight_bytes: float | None = None,
    baseline_peak_flops_per_s: float | None = None,
    engine_peak_flops_per_s: float | None = None,
    speedup_cause: str = "",
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Bound an engine's speed-up by max(bytes old / bytes new, peak new / peak old), unless another cause is named."""
    gains = []
    if baseline_weight_bytes is not None and engine_weight_bytes is not None:
        gains.append(baseline_weight_bytes / engine_weight_bytes)
    if baseline_peak_flops_per_s is not None and engine_peak_flops_per_s is not None:
        gains.append(engine_peak_flops_per_s / baseline_peak_flops_per_s)
    if speedup_cause.strip() or not gains or not exceeds(engine_speedup, max(gains), claim_tolerance):
        return None
    return Breach(
        engine_speedup,
        max(gains),
        f"{engine_speedup:.3g} times faster, while fewer bytes and a higher peak explain {max(gains):.3g} times; "
        "name the fusion or the weak baseline",
    )


def speedup_names_its_baseline(engine_speedup: float, baseline: str = "") -> Breach | None:
    """Ask for the baseline of a speed-up: engine, version, and how it was tuned."""
    if baseline.strip():
        return None
    return Breach(engine_speedup, 1.0, f"{engine_speedup:.3g} times faster than what? name the baseline and its tuning")


def wall_and_cpu_time_agree(engine_speedup: float, cpu_time_speedup: float) -> Breach | None:
    """Compare the wall-clock ratio with the CPU-time ratio; a fifth apart, the machine was shared."""
    if not exceeds(engine_speedup, cpu_time_speedup, CPU_TIME_TOLERANCE):
        return None
    return Breach(
        engine_speedup,
        cpu_time_speedup,
        f"{engine_speedup:.3g} times faster on the wall clock, {cpu_time_speedup:.3g} times in CPU time: "
        "run the two interleaved, on a quiet machine",
    )


_W = Severity.WARNING

RULES = (
    Rule(
        "R18",
        "an engine's speed-up has a cause and a baseline",
        (
            Clause(_W, engine_speedup_has_a_cause),
            Clause(_W, speedup_names_its_baseline),
            Clause(_W, wall_and_cpu_time_agree),
        ),
    ),
)
