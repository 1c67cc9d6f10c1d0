"""Programs on nodes in virtual time, under faults that a seed decides. A scenario's author imports from here."""

from labsupport.faults.histories.history import Completion
from labsupport.faults.virtual.failure import Cause, Failure
from labsupport.faults.virtual.fault import Fault, FaultKind
from labsupport.faults.virtual.invariants import (
    linearizable_registers,
    nothing_acknowledged_is_lost,
    one_writer_per_epoch,
)
from labsupport.faults.virtual.links import constant, exponential, lognormal, uniform
from labsupport.faults.virtual.node import Node, Program
from labsupport.faults.virtual.pass_rate import PassRate, pass_rate
from labsupport.faults.virtual.scenario import Run, Scenario
from labsupport.faults.virtual.schedule import FaultSpec, Schedule
from labsupport.faults.virtual.shrink import Shrunk, shrink
from labsupport.faults.virtual.timeline import write_timeline
from labsupport.faults.virtual.world import World

__all__ = [
    "Cause",
    "Completion",
    "Failure",
    "Fault",
    "FaultKind",
    "FaultSpec",
    "Node",
    "PassRate",
    "Program",
    "Run",
    "Scenario",
    "Schedule",
    "Shrunk",
    "World",
    "constant",
    "exponential",
    "linearizable_registers",
    "lognormal",
    "nothing_acknowledged_is_lost",
    "one_writer_per_epoch",
    "pass_rate",
    "shrink",
    "uniform",
    "write_timeline",
]
