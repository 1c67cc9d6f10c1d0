"""A scenario: what runs, what may go wrong, and what must hold; run it with any seed, or replay a schedule.

def build(world):
    world.add("a", Replica)
    world.add("b", Replica)
    world.invariant(at_most_one_leader)

scenario = Scenario("election", build, FaultSpec.of("crash", "partition"))
scenario.run(seed=14).failure
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labsupport.errors import LabsError
from labsupport.faults.virtual.failure import Failure
from labsupport.faults.virtual.injection import inject
from labsupport.faults.virtual.log import Entry, log_digest, log_text
from labsupport.faults.virtual.schedule import FaultSpec, Schedule
from labsupport.faults.virtual.world import EVENT_LIMIT, Invariant, World


@dataclass(frozen=True)
class Run:
    """How one schedule went."""

    schedule: Schedule
    failure: Failure | None
    world: World = field(repr=False)
    """As it was left, to be looked at."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return self.failure is None

    @property
    def seed(self) -> int:
        """The seed of the schedule."""
        return self.schedule.seed

    @property
    def events(self) -> int:
        """How many events happened."""
        return self.world.events

    @property
    def log(self) -> list[Entry]:
        """What happened; empty where it was not recorded."""
        return self.world.log

    @property
    def log_text(self) -> str:
        """What happened, one entry a line."""
        return log_text(self.log)

    @property
    def digest(self) -> str:
        """The sha256 of what happened; equal for two runs of one seed."""
        return log_digest(self.log)


@dataclass(frozen=True)
class Scenario:
    """A world to build, the faults it is put through, and what must hold at the end."""

    name: str
    build: Callable[[World], None]
    """Adds nodes, links and invariants to an empty world."""
    faults: FaultSpec
    duration_s: float = 60.0
    """Of the run in virtual time, the quiet tail included."""
    at_end: Invariant | None = None
    """What must hold once the quiet tail is over, such as that everybody agrees again."""
    event_limit: int = EVENT_LIMIT

    def schedule(self, seed: int) -> Schedule:
        """Return the schedule of a seed."""
        return self._drawn(self._world(seed, recording=False))

    def run(self, seed: int, *, recording: bool = True) -> Run:
        """Run the schedule of a seed."""
        world = self._world(seed, recording=recording)
        return self._run(world, self._drawn(world), None)

    def replay(self, schedule: Schedule | Path, *, recording: bool = True, until_s: float | None = None) -> Run:
        """Run a given schedule, or one that was saved.

        Args:
            until_s: stop there, before the end, and leave out what must hold at the end.

        Raises:
            LabsError: the file is no schedule, or the schedule belongs to another scenario.
        """
        if isinstance(schedule, Path):
            schedule = Schedule.load(schedule)
        if schedule.scenario != self.name:
            raise LabsError(f"schedule of the scenario {schedule.scenario!r}: this one is {self.name!r}")
        return self._run(self._world(schedule.seed, recording=recording), schedule, until_s)

    def failing(self, seeds: Iterable[int]) -> Iterator[Run]:
        """Yield the runs that fail, without their event logs."""
        return (run for seed in seeds if not (run := self.run(seed, recording=False)).ok)

    def _world(self, seed: int, *, recording: bool) -> World:
        world = World(seed, recording=recording, event_limit=self.event_limit)
        self.build(world)
        if not world.machines:
            raise LabsError(f"scenario {self.name!r}: its build adds no node")
        return world

    def _drawn(self, world: World) -> Schedule:
        return self.faults.draw(self.name, world.seed, tuple(world.machines), self.duration_s)

    def _run(self, world: World, schedule: Schedule, until_s: float | None) -> Run:
        inject(world, schedule.faults)
        failure = world.run(self.duration_s if until_s is None else min(until_s, self.duration_s))
        if failure is None and until_s is None and self.at_end is not None:
            failure = world.judge(getattr(self.at_end, "__name__", "the end").replace("_", " "), self.at_end)
        return Run(schedule, failure, world)
