"""The history checkers as invariants of a world, and as what must hold at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labsupport.faults.histories.history import Judgement
from labsupport.faults.histories.register import judge_register
from labsupport.faults.histories.set_full import judge_set_full
from labsupport.faults.histories.single_writer import SingleWriter
from labsupport.faults.virtual.world import World


def one_writer_per_epoch() -> Callable[[World], str | None]:
    """Return an invariant: no resource accepts two writers in one epoch, or an epoch after a later one.

    It follows one world; make another for the next. Check it `after_change`.
    """
    rules, judged = SingleWriter(), 0

    def one_writer_per_epoch(world: World) -> str | None:
        nonlocal judged
        for accepted in world.history.accepts[judged:]:
            judged += 1
            if wrong := rules.accept(accepted):
                return wrong
        return None

    return one_writer_per_epoch


def linearizable_registers(initial: Any = None) -> Callable[[World], str | None]:
    """Return what must hold at the end: every register of the world's history is linearizable.

    A history that stays undecided counts as wrong: give the scenario more keys or a shorter run.
    """

    def linearizable_registers(world: World) -> str | None:
        report = judge_register(world.history.operations, initial=initial)
        return None if report.judgement is Judgement.HOLDS else report.explanation

    return linearizable_registers


def nothing_acknowledged_is_lost(*, allow_stale: bool = False) -> Callable[[World], str | None]:
    """Return what must hold at the end: no element whose add was acknowledged is missing from the last reads."""

    def nothing_acknowledged_is_lost(world: World) -> str | None:
        report = judge_set_full(world.history.operations, allow_stale=allow_stale)
        return None if report.judgement is Judgement.HOLDS else report.sentence

    return nothing_acknowledged_is_lost
