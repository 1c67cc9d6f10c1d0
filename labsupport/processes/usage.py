"""What a block of code used, with everything that it started: CPU seconds and peak memory, daemons included.

    with UsageMeter() as used:
        work()
    used.cpu_s, used.peak_bytes

The process table is sampled, and the last reading of every process counts when it is gone. A process belongs to the
block when it descends from this one, when its parent once belonged, or when it carries a variable that the meter puts
into the environment: a daemon whose parents have left is known by that. A child that lived between two samples is found
in the figure of the parent that waited for it.

Limitations: Linux. Lost is what a process uses after its last sample when nobody waits for it (at most `interval_s`
each), and a daemon that was forked without exec and orphaned between two samples. Pages that processes share count once
for each of them.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

INTERVAL_S = 0.2  # a walk over 300 processes takes 5 ms, so it costs about 2 % of a core
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_numbers = itertools.count()


@dataclass(frozen=True)
class Reading:
    """One line of the process table; `waited_s` is the CPU time of the children it has waited for."""

    pid: int
    started: int
    parent_pid: int
    own_s: float
    waited_s: float
    resident_bytes: int


@dataclass
class _Tracked:
    reading: Reading
    before_s: tuple[float, float]  # own and waited when the meter began
    gone_s: float = 0.0  # of children that are gone; those it waited for are in `waited_s`, too

    @property
    def cpu_s(self) -> float:
        own_s, waited_s = self.before_s
        return self.reading.own_s - own_s + max(self.reading.waited_s - waited_s, self.gone_s)


class UsageMeter:
    """CPU seconds and peak resident memory of this process and all it starts; may be read inside the block."""

    def __init__(
        self,
        interval_s: float = INTERVAL_S,
        *,
        marker: str | None = None,
        table: Callable[[], Iterable[Reading]] | None = None,
        carries: Callable[[int, bytes], bool] | None = None,
    ) -> None:
        """`marker` names a variable that this process was started with; without one, the meter sets its own."""
        self._interval_s = interval_s
        self._given = marker
        self._table = table or process_table
        self._carries = carries or _environment_holds
        self._lock = threading.Lock()
        self._ending = threading.Event()

    @property
    def cpu_s(self) -> float:
        """CPU seconds since the block began, up to now or to its end."""
        if not self._ending.is_set():
            self.sample()
        with self._lock:
            return self._gone_s + sum(process.cpu_s for process in self._tracked.values())

    @property
    def peak_bytes(self) -> int:
        """The most resident memory that any sample found in all of them together."""
        return self._peak_bytes

    def restart_peak(self) -> None:
        """Forget the peak so far."""
        self._peak_bytes = 0
        self.sample()

    def __enter__(self) -> Self:
        self._variable = self._given or f"LABS_METER_{os.getpid()}_{next(_numbers)}"
        self._entry = f"{self._variable}={os.environ.setdefault(self._variable, '1')}".encode()
        self._own_pid = os.getpid()
        self._tracked: dict[tuple[int, int], _Tracked] = {}
        self._foreign: set[tuple[int, int]] = set()
        self._gone_s, self._peak_bytes = 0.0, 0
        self._sample(first=True)
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="usage meter", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self.sample()
        if self._given is None:
            del os.environ[self._variable]

    def sample(self) -> None:
        """Read the process table now."""
        with self._lock:
            self._sample(first=False)

    def _run(self) -> None:
        while not self._ending.wait(self._interval_s):
            self.sample()

    def _sample(self, *, first: bool) -> None:
        readings = {reading.pid: reading for reading in self._table()}
        ours = self._ours(readings)
        for key, reading in ours.items():
            if key in self._tracked:
                self._tracked[key].reading = reading
            else:  # what is there already has used its time before the block
                self._tracked[key] = _Tracked(reading, (reading.own_s, reading.waited_s) if first else (0.0, 0.0))
        self._let_go([key for key in self._tracked if key not in ours])
        self._foreign = {_key(reading) for reading in readings.values()} - ours.keys()
        self._peak_bytes = max(self._peak_bytes, sum(reading.resident_bytes for reading in ours.values()))

    def _ours(self, readings: Mapping[int, Reading]) -> dict[tuple[int, int], Reading]:
        known: dict[int, bool] = {0: False, self._own_pid: True}

        def belongs(pid: int) -> bool:
            if pid not in known:
                reading = readings.get(pid)
                if reading is None:
                    return False
                known[pid] = _key(reading) in self._tracked or belongs(reading.parent_pid)
                if not known[pid] and _key(reading) not in self._foreign:
                    known[pid] = self._carries(pid, self._entry)
            return known[pid]

        return {_key(reading): reading for reading in readings.values() if belongs(reading.pid)}

    def _let_go(self, gone: list[tuple[int, int]]) -> None:
        """Add what ended to its parent's account, children before parents."""
        at = {process.reading.pid: process for process in self._tracked.values()}
        # A child has started after its parent, so the youngest go first.
        for key in sorted(gone, key=lambda key: (key[1], key[0]), reverse=True):
            process = self._tracked.pop(key)
            parent = at.get(process.reading.parent_pid)
            if parent is not None and parent is not process:
                parent.gone_s += process.cpu_s
                # Whoever waits for it gets its whole life, also what lies before the block.
                parent.before_s = (parent.before_s[0], parent.before_s[1] + sum(process.before_s))
            else:
                self._gone_s += process.cpu_s
            at.pop(process.reading.pid, None)


def process_table() -> Iterable[Reading]:
    """Yield a reading of every process that can be read; see proc(5) for the fields."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stream:
                    fields = stream.read().rpartition(b")")[2].split()  # the name before it may hold anything
            except OSError:
                continue  # it ended since it was listed
            own, waited = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
            resident_bytes = int(fields[21]) * _PAGE_BYTES
            yield Reading(int(name), int(fields[19]), int(fields[1]), own * _TICK_S, waited * _TICK_S, resident_bytes)


def _key(reading: Reading) -> tuple[int, int]:
    return reading.pid, reading.started


def _environment_holds(pid: int, entry: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as stream:
            return entry in stream.read().split(b"\0")
    except OSError:
        return False
