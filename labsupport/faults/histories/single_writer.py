"""One writer per epoch, and epochs that only grow: what a fencing token has to guarantee at the resource it protects.

Two writers accepted in one epoch are a split brain. An epoch accepted after a later one is a writer that was declared
dead and came back, the write of a leader that slept through its lease.
"""

from __future__ import annotations

from collections.abc import Iterable

from labsupport.faults.histories.history import Accepted


class SingleWriter:
    """Follows the accepted writes of any number of resources and says which one broke a rule."""

    def __init__(self) -> None:
        self._writer: dict[tuple[str, int], str] = {}
        self._last: dict[str, Accepted] = {}

    def accept(self, accepted: Accepted) -> str | None:
        """Take the next accepted write; return what is wrong with it, or None."""
        owner = self._writer.setdefault((accepted.resource, accepted.epoch), accepted.writer)
        if owner != accepted.writer:
            return (
                f"{accepted.resource}: two writers in epoch {accepted.epoch}: {accepted.writer} was accepted at "
                f"{accepted.at_s:.3f} s, after {owner}"
            )
        last = self._last.get(accepted.resource)
        if last is not None and accepted.epoch < last.epoch:
            return (
                f"{accepted.resource}: {accepted.writer} was accepted with epoch {accepted.epoch} at "
                f"{accepted.at_s:.3f} s, after {last.writer} with epoch {last.epoch} at {last.at_s:.3f} s"
            )
        self._last[accepted.resource] = accepted
        return None


def single_writer_violation(accepts: Iterable[Accepted]) -> str | None:
    """Return what the first write that broke a rule did, or None."""
    rules = SingleWriter()
    return next((wrong for accepted in accepts if (wrong := rules.accept(accepted))), None)
