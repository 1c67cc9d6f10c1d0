"""Follow a training run inside a notebook: one line of output that is updated in place.

A terminal has its own bar (labsupport.cli.training); a stored notebook keeps only the last state of the line.
"""

from __future__ import annotations

import time
from typing import Any

UPDATE_EVERY_S = 0.5  # a kernel that floods its browser with updates slows down what it shows
BAR_CELLS = 24


class TrainingProgress:
    """Callable for `train(..., on_event=)`: start-up, steps with their loss, restarts, and the final accuracy."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._began = self._shown_at = time.monotonic()
        self._last_step, self._starts, self._handle = 0, 0, None
        self._show("starting workers")

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "start":
            self._last_step = event["last_step"]
            self._starts += 1
            what = (
                "first step" if self._starts == 1 else f"worker group restarted, continues after step {event['step']}"
            )
            self._show(f"{self._bar(event['step'])} {what}")
        elif kind == "step" and time.monotonic() - self._shown_at > UPDATE_EVERY_S:
            self._show(f"{self._bar(event['step'])} loss {float.fromhex(event['loss']):.4f}")
        elif kind == "epoch":
            self._show(
                f"{self._bar(event['step'])} loss {float.fromhex(event['loss']):.4f}, "
                f"test accuracy {event['accuracy']:.3f}"
            )

    def _bar(self, step: int) -> str:
        filled = round(BAR_CELLS * step / max(1, self._last_step))
        return f"{'█' * filled}{'░' * (BAR_CELLS - filled)} {step}/{self._last_step}"

    def _show(self, state: str) -> None:
        from IPython.display import display

        self._shown_at = time.monotonic()
        restarts = f", {self._starts - 1} restart{'s' if self._starts > 2 else ''}" if self._starts > 1 else ""
        line = {"text/plain": f"{self._title}: {state} ({self._shown_at - self._began:.0f} s{restarts})"}
        if self._handle is None:
            self._handle = display(line, raw=True, display_id=True)
        else:
            self._handle.update(line, raw=True)
