"""The failure timeline: how a run went wrong, as one HTML page."""

from labsupport.faults.virtual.timeline.page import write_timeline

__all__ = ["write_timeline"]
