"""A training run on a fleet that fails, in virtual time: what a checkpoint policy makes of a failure rate.

Failures arrive at random moments (exponential gaps, seeded). The run works for an interval, stands still for
`stall_s`, and `durable_s` after the beginning of the save the checkpoint can be resumed from. A synchronous save has
`stall_s == durable_s`; an asynchronous one stalls for the copy and is durable later, while the run works on. A failure
takes back everything since the newest durable checkpoint.

Limitations: a save does not slow the steps beside it down, and one save at a time: the next waits for the one before.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from labsupport.errors import LabsError
from labsupport.training.resilience.goodput import Category, GoodputLedger

MAX_FAILURES = 100_000  # a policy under which hardly any work survives would never end


@dataclass(frozen=True)
class Policy:
    """When and how checkpoints are written."""

    interval_s: float
    """Work between the ends of two saves."""
    stall_s: float
    """How long a save stops the steps."""
    durable_s: float
    """From the beginning of a save until a resume can use it; at least the stall."""

    def __post_init__(self) -> None:
        if not (self.interval_s > 0 and 0 <= self.stall_s <= self.durable_s):
            raise LabsError(
                f"interval_s {self.interval_s}, stall_s {self.stall_s}, durable_s {self.durable_s}: the interval must "
                "be above 0, and a save durable no earlier than its stall ends"
            )


def simulate(policy: Policy, *, work_s: float, mtbf_s: float, restart_s: float, seed: int) -> GoodputLedger:
    """Run until `work_s` seconds of work are done and return where the wall time went.

    Raises:
        LabsError: so many failures that the work is not getting done.
    """
    draw = random.Random(seed)  # noqa: S311 - repeatable, no secret
    now = kept_s = wasted_s = saving_s = recovering_s = 0.0
    next_failure = draw.expovariate(1 / mtbf_s)
    for _ in range(MAX_FAILURES):
        done_s, durable_s = kept_s, kept_s
        pending: list[tuple[float, float]] = []  # when each save becomes durable, and the work in it
        began = now
        saved_this_attempt = 0.0
        while done_s < work_s:
            until = min(done_s + policy.interval_s, work_s)
            end = now + (until - done_s)
            if next_failure < end:
                done_s += next_failure - now
                now = next_failure
                break
            now, done_s = end, until
            if done_s >= work_s:
                break
            start = max(now, pending[-1][0] if pending else now)  # one save at a time
            stall = start + policy.stall_s - now
            if next_failure < now + stall:
                saved_this_attempt += next_failure - now
                now = next_failure
                break
            now += stall
            saved_this_attempt += stall
            pending.append((start + policy.durable_s, done_s))
        saving_s += saved_this_attempt
        if done_s >= work_s:
            return GoodputLedger(now, {
                Category.PROGRESS: work_s, Category.WASTED_PROGRESS: wasted_s, Category.CHECKPOINT_SAVE: saving_s,
                Category.INFRASTRUCTURE_RECOVERY: recovering_s,
            })  # fmt: skip
        assert now >= began, "virtual time never runs backwards"
        durable_s = max([durable_s, *(work for moment, work in pending if moment <= now)])
        wasted_s += done_s - durable_s
        kept_s = durable_s
        next_failure = now + draw.expovariate(1 / mtbf_s)
        while next_failure < now + restart_s:  # it fails again while it restarts
            recovering_s += next_failure - now
            now = next_failure
            next_failure = now + draw.expovariate(1 / mtbf_s)
        now += restart_s
        recovering_s += restart_s
    raise LabsError(
        f"after {MAX_FAILURES:,} failures {kept_s:.0f} of {work_s:.0f} s of work are done: the interval of "
        f"{policy.interval_s:g} s hardly ever ends at a mean time between failures of {mtbf_s:g} s"
    )


def mean_goodput(policy: Policy, seeds: Iterable[int], *, work_s: float, mtbf_s: float, restart_s: float) -> float:
    """Return the mean goodput over seeds."""
    return fmean(
        simulate(policy, work_s=work_s, mtbf_s=mtbf_s, restart_s=restart_s, seed=seed).goodput for seed in seeds
    )
