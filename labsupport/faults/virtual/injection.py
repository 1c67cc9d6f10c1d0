"""Put the faults of a schedule into a world, each for its time.

Faults overlap, so that the end of one must not heal what another still holds. Whatever begins or ends, the conditions
of each node and link that it touches are worked out anew from the faults that are active then.
"""

from __future__ import annotations

from collections.abc import Iterable

from labsupport.faults.virtual.fault import FACTS, Fault, FaultKind
from labsupport.faults.virtual.log import Happened
from labsupport.faults.virtual.world import World


def inject(world: World, faults: Iterable[Fault]) -> None:
    """Schedule faults, and their ends.

    Raises:
        LabsError: a fault names a node that is not there.
    """
    active: list[Fault] = []
    for fault in faults:
        for name in (*fault.nodes, *fault.towards):
            world.machine(name)
        world.call_at(fault.at_s, _begin, world, active, fault)
        world.call_at(fault.ends_s, _end, world, active, fault)


def _begin(world: World, active: list[Fault], fault: Fault) -> None:
    active.append(fault)
    world.record(Happened.FAULT, "", fault.what)
    _set_conditions(world, active, fault)
    if fault.kind is FaultKind.CRASH:
        for name in fault.nodes:
            if fault.amount:
                world.machine(name).crash_before(round(fault.amount))
            else:
                world.machine(name).crash()


def _end(world: World, active: list[Fault], fault: Fault) -> None:
    active.remove(fault)
    world.record(Happened.REVERT, "", fault.what)
    _set_conditions(world, active, fault)
    if fault.kind is FaultKind.CRASH:
        held_down = {name for other in active if other.kind is FaultKind.CRASH for name in other.nodes}
        for name in fault.nodes:
            machine = world.machine(name)
            machine.crash_before(None)
            if name not in held_down:
                machine.start()


def _set_conditions(world: World, active: list[Fault], changed: Fault) -> None:
    if FACTS[changed.kind].on_links:
        for sender, receiver in changed.links:
            _set_link(world, sender, receiver, [fault for fault in active if (sender, receiver) in fault.links])
    else:
        for name in changed.nodes:
            on_node = [fault for fault in active if name in fault.nodes and not FACTS[fault.kind].on_links]
            _set_node(world, name, changed.kind, on_node)


def _set_node(world: World, name: str, kind: FaultKind, faults: list[Fault]) -> None:
    """Set what one kind of fault changes on a node, from all that are active there."""
    machine = world.machine(name)
    amounts = [fault.amount for fault in faults if fault.kind is kind]
    match kind:
        case FaultKind.PAUSE:
            machine.pause(bool(amounts))
        case FaultKind.SLOW:
            machine.slower_by_s = sum(amounts)
        case FaultKind.CLOCK_SKEW:
            machine.clock.offset_s = sum(amounts)
        case FaultKind.CLOCK_DRIFT:
            machine.clock.set_rate(1.0 + sum(amounts), world.now_s)
        case FaultKind.DISK_LIES:
            machine.disk.lies = bool(amounts)
        case FaultKind.DISK_TEARS:
            machine.disk.tears = bool(amounts)
        case FaultKind.DISK_FULL:
            machine.disk.full = bool(amounts)


def _set_link(world: World, sender: str, receiver: str, faults: list[Fault]) -> None:
    link = world.link(sender, receiver)
    link.reset()
    link.healthy = not faults
    for fault in faults:
        match fault.kind:
            case FaultKind.PARTITION:
                link.blocked = True
            case FaultKind.LOSS:
                link.loss = 1.0 - (1.0 - link.loss) * (1.0 - fault.amount)
            case FaultKind.DUPLICATE:
                link.duplicate = max(link.duplicate, fault.amount)
            case FaultKind.DELAY:
                link.extra_s += fault.amount
            case FaultKind.JITTER:
                link.jitter_s += fault.amount
            case FaultKind.REORDER:
                link.reorder_s = max(link.reorder_s, fault.amount)
            case FaultKind.THROTTLE:
                link.throttle_bytes_per_s = min(link.throttle_bytes_per_s, fault.amount)
