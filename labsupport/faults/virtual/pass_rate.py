"""How many of N seeded schedules does it survive? The first that it does not is made small and drawn as a timeline.

    rate = pass_rate(scenario, seeds(200))
    rate.sentence   # 187 of 200 schedules survived; first failing seed 14: ...
    rate.timeline   # a page that shows how seed 14 went wrong

A pass rate is true where enough schedules survived, so that a criterion can return it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from labsupport.faults.virtual.failure import Failure
from labsupport.faults.virtual.scenario import Run, Scenario
from labsupport.faults.virtual.schedule import Schedule
from labsupport.faults.virtual.shrink import MOST_RUNS, shrink
from labsupport.faults.virtual.timeline import write_timeline
from labsupport.workspace import workspace

FOLDER = "timelines"


@dataclass(frozen=True)
class PassRate:
    """How a scenario did on many seeds."""

    scenario: str
    asked: int
    judged: int
    """Fewer than asked where the work was stopped."""
    failing_seeds: tuple[int, ...]
    required: float = 1.0
    """The share of schedules that must be survived."""
    failure: Failure | None = None
    """Of the first failing seed, after its schedule was made small."""
    smallest: Schedule | None = None
    """What is left of the first failing schedule."""
    timeline: Path | None = None
    """The page that shows it."""
    not_repeatable: str = ""
    """How two runs of one seed differ; no rate counts then."""

    @property
    def survived(self) -> int:
        """How many schedules were survived."""
        return self.judged - len(self.failing_seeds)

    @property
    def ok(self) -> bool:
        """Whether all seeds were judged and enough schedules survived."""
        return not self.not_repeatable and self.judged == self.asked > 0 and self.survived >= self.required * self.asked

    @property
    def sentence(self) -> str:
        """The result on one line."""
        if self.not_repeatable:
            return f"two runs of one seed differ: {self.not_repeatable}"
        counts = f"{self.survived} of {self.judged} schedules survived"
        if self.judged < self.asked:
            counts += f" (stopped before the other {self.asked - self.judged})"
        if self.failure is None:
            return counts
        first, *_ = str(self.failure).splitlines()
        return f"{counts}; first failing seed {self.failing_seeds[0]}: {first}"

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = [self.sentence]
        if self.smallest is not None:
            lines.append(f"smallest failing schedule: {self.smallest}")
        if self.timeline is not None:
            lines.append(f"timeline: {self.timeline}")
        return "\n".join(lines)


def pass_rate(
    scenario: Scenario,
    seeds: Sequence[int],
    *,
    required: float = 1.0,
    progress: Callable[[int, int], object] | None = None,
    keep_going: Callable[[], bool] = lambda: True,
    folder: Path | None = None,
    shrink_runs: int = MOST_RUNS,
) -> PassRate:
    """Run a scenario once for each seed.

    Args:
        required: the share of schedules that must be survived.
        progress: called with how many seeds are judged, and of how many.
        keep_going: asked before each seed; the rate is of the seeds so far once it says no.
        folder: where the timeline of the first failing seed and its schedule are written; `timelines` in the workspace
            without it.
        shrink_runs: how many runs may be spent on making that schedule small; 0 leaves it as it is.

    Raises:
        NotImplementedError: a program is an exercise's stub.
    """
    failing: list[int] = []
    first: Run | None = None
    judged = 0
    for seed in seeds:
        if not keep_going():
            break
        if judged == 0 and (difference := _difference(scenario.run(seed), scenario.run(seed))):
            return PassRate(scenario.name, len(seeds), 0, (), required, not_repeatable=f"seed {seed}, {difference}")
        run = scenario.run(seed, recording=False)
        if not run.ok:
            failing.append(seed)
            first = first or run
        judged += 1
        if progress is not None:
            progress(judged, len(seeds))
    if first is None:
        return PassRate(scenario.name, len(seeds), judged, (), required)
    if difference := _difference(scenario.run(first.seed), scenario.run(first.seed)):
        return PassRate(
            scenario.name,
            len(seeds),
            judged,
            tuple(failing),
            required,
            not_repeatable=f"seed {first.seed}, {difference}",
        )
    smallest = shrink(scenario, first, most_runs=shrink_runs).schedule if shrink_runs else first.schedule
    shown = scenario.replay(smallest)
    return PassRate(
        scenario.name,
        len(seeds),
        judged,
        tuple(failing),
        required,
        failure=shown.failure,
        smallest=smallest,
        timeline=_written(shown, folder),
    )


def _difference(one: Run, other: Run) -> str:
    """Say where two runs of one seed part, or return ""."""
    for number, (entry, its_twin) in enumerate(zip_longest(one.log, other.log), start=1):
        if entry != its_twin:
            return (
                f"log entry {number}: first {entry or 'the end'}, then {its_twin or 'the end'}. A program takes the "
                "time from node.now_s, random numbers from node.random, and sorts a set before it goes through it"
            )
    return ""


def _written(run: Run, folder: Path | None) -> Path | None:
    """Write timeline and schedule; a folder that cannot be written costs the page, not the verdict."""
    name = f"{re.sub(r'[^a-z0-9]+', '-', run.schedule.scenario.lower()).strip('-')}-seed-{run.seed}"
    folder = folder or workspace(FOLDER)
    schedule_file = folder / f"{name}.json"
    try:
        run.schedule.save(schedule_file)
        return write_timeline(run, folder / f"{name}.html", schedule_file=schedule_file)
    except OSError:
        return None
