"""A worked example: fail-over by lease, with and without a fencing token checked where it counts.

A lock service grants a lease for `LEASE_S`, with a token that grows. The worker that holds it writes to a store until
the lease ends by its own clock, and the other one takes over. That is not enough: a worker that is paused between its
look at the clock and its write, or whose write is held up on the way, writes after the next holder did. Only the store
can refuse that, by the token.

What a worker decides is `decide`, a pure function of what it knows and the time. `Worker` runs it in virtual time; a
process with a real clock and real sockets would run the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labsupport.faults.virtual import FaultSpec, Node, Program, Scenario, World, one_writer_per_epoch

LEASE_S = 2.0
RENEW_S = 0.5  # a quarter of the lease: three renewals may be lost
WRITE_S = 0.2
PREPARE_S = 0.1  # between the decision to write and the write


@dataclass(frozen=True)
class Lease:
    """What a worker was granted."""

    token: int
    ends_s: float
    """By the worker's own clock."""


def decide(lease: Lease | None, now_s: float) -> str:
    """Return what a worker does now: `write` while it holds the lease, else `wait`."""
    return "write" if lease is not None and now_s < lease.ends_s else "wait"


class LockService(Program):
    """Grants the lease to whoever asks when nobody else holds it; the grants survive a crash."""

    def on_message(self, node: Node, message: Any, sender: str) -> None:
        holder, token, ends_s = self._stored(node)
        if sender != holder and node.monotonic_s < ends_s:
            return
        if sender != holder:
            holder, token = sender, token + 1
        ends_s = node.monotonic_s + LEASE_S
        node.disk.write("lease.new", f"{holder} {token} {ends_s!r}".encode())
        node.disk.fsync("lease.new")
        node.disk.rename("lease.new", "lease")
        node.disk.fsync("lease")
        node.send(sender, {"token": token, "asked_s": message["asked_s"]})

    def _stored(self, node: Node) -> tuple[str, int, float]:
        if not node.disk.exists("lease"):
            return "", 0, 0.0
        holder, token, ends_s = node.disk.read("lease").decode().split()
        return holder, int(token), float(ends_s)


class Worker(Program):
    """Asks for the lease, again and again, and writes while it has it."""

    def __init__(self) -> None:
        self.lease: Lease | None = None

    def on_start(self, node: Node) -> None:
        node.after(node.random.uniform(0, RENEW_S), "ask")
        node.after(WRITE_S, "work")

    def on_timer(self, node: Node, name: str) -> None:
        if name == "ask":
            node.send("lock", {"asked_s": node.monotonic_s})
            node.after(RENEW_S, "ask")
            return
        if name == "write" and self.lease is not None:
            node.send("store", {"token": self.lease.token})
            return
        action = decide(self.lease, node.monotonic_s)
        node.publish(role="leader" if action == "write" else "standby")
        if action == "write":
            node.after(PREPARE_S, "write")
        node.after(WRITE_S, "work")

    def on_message(self, node: Node, message: Any, sender: str) -> None:
        # Counted from the question: the answer may have been long on its way.
        granted = Lease(message["token"], message["asked_s"] + LEASE_S)
        if self.lease is None or granted.token != self.lease.token:
            node.note(f"granted the lease with token {granted.token}")
        self.lease = granted


class Store(Program):
    """Takes writes; with fencing, none with a token older than the newest it has seen."""

    def __init__(self, fenced: bool) -> None:
        self.fenced = fenced

    def on_message(self, node: Node, message: Any, sender: str) -> None:
        token = message["token"]
        if self.fenced and token < self._newest(node):
            node.note(f"refused {sender}'s token {token}")
            return
        node.disk.write("token", str(token).encode())
        node.disk.fsync("token")
        node.accepted("store", token, sender)

    def _newest(self, node: Node) -> int:
        return int(node.disk.read("token")) if node.disk.exists("token") else 0


def failover(*, fenced: bool) -> Scenario:
    """Return the scenario: a lock service, two workers, one store."""

    def build(world: World) -> None:
        world.add("lock", LockService)
        world.add("a", Worker)
        world.add("b", Worker)
        world.add("store", lambda: Store(fenced))
        world.invariant(one_writer_per_epoch(), after_change=True)

    kinds = ("crash", "pause", "clock-drift", "partition", "delay", "loss")
    return Scenario(
        name="lease with fencing" if fenced else "lease without fencing",
        build=build,
        faults=FaultSpec.of(*kinds, per_minute=4, quiet_s=6),
        duration_s=25,
        at_end=somebody_writes,
    )


def somebody_writes(world: World) -> str | None:
    """Once the faults are over, work goes on."""
    last_s = max((accepted.at_s for accepted in world.history.accepts), default=0.0)
    return None if world.now_s - last_s < 2 * LEASE_S else f"the last write was accepted at {last_s:.1f} s"
