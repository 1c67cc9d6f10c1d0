"""The whole run on one screen: time to the right, a lane for each node, a bar for each fault, a line where it broke."""

from __future__ import annotations

import math

from labsupport.faults.virtual.log import Happened
from labsupport.faults.virtual.timeline.story import Band, Story
from labsupport.faults.virtual.timeline.svg import box, cut, dot, element, label, line

WIDTH = 1100
LEFT = 110  # for the names
RIGHT = 30
LANE = 34
BAR = 18
TICKS = 10
STATES = 6  # colours for published states, in the order in which they first appear
MOST_DOTS = 1200  # of notes and accepted writes in all lanes; more would be lines


def overview_svg(story: Story) -> str:
    """Return the picture."""
    lanes_height = LANE * len(story.lanes)
    height = lanes_height + BAR * len(story.faults) + 34
    to_x = (WIDTH - LEFT - RIGHT) / max(story.end_s, 1e-9)
    parts = [*_axis(story, to_x, height - 24)]
    for number, name in enumerate(story.lanes):
        parts += _lane(story, name, number * LANE, to_x)
    for number, band in enumerate(story.faults):
        parts += _bar(band, lanes_height + 6 + number * BAR, to_x, story.end_s)
    if story.failure:
        x = LEFT + story.end_s * to_x
        parts.append(line(x, 0, x, height - 24, "broken", story.failure))
    return element("svg", "\n".join(parts), viewBox=f"0 0 {WIDTH} {height}", class_="overview", role="img")


def _axis(story: Story, to_x: float, bottom: float) -> list[str]:
    step_s = _nice(story.end_s / TICKS)
    parts = []
    for number in range(math.floor(story.end_s / step_s) + 1):
        x = LEFT + number * step_s * to_x
        parts += [line(x, 0, x, bottom, "grid"), label(x, bottom + 16, f"{number * step_s:g} s", "tick", "middle")]
    return parts


def _lane(story: Story, name: str, top: float, to_x: float) -> list[str]:
    middle = top + LANE / 2
    parts = [label(LEFT - 10, middle + 4, cut(name, 14), "name", "end")]
    for band in story.faults:
        if name in band.nodes:
            width = (min(band.to_s, story.end_s) - band.from_s) * to_x
            parts.append(box(LEFT + band.from_s * to_x, top + 2, width, LANE - 4, "fault shade", band.text))
    parts.append(line(LEFT, middle, WIDTH - RIGHT, middle, "lane"))
    colours = _state_colours(story)
    for span in story.spans:
        if span.node != name:
            continue
        x, width = LEFT + span.from_s * to_x, (span.to_s - span.from_s) * to_x
        tip = f"{span.from_s:.3f} to {span.to_s:.3f} s: {span.text}"
        if span.kind == "down":
            parts.append(box(x, top + 2, width, LANE - 4, "down", tip))
        elif span.kind == "state":
            parts.append(box(x, middle - 5, width, 10, f"state state{colours[span.text]}", tip))
            if width > 7 * len(span.text):
                parts.append(label(x + 4, middle + 3.5, span.text, "state-name"))
        else:
            parts.append(box(x, middle + 8, width, 4, "operation", tip))
    marks = [entry for entry in story.log if entry.node == name and entry.kind in (Happened.NOTE, Happened.ACCEPT)]
    for entry in marks[:: max(1, math.ceil(len(marks) * len(story.lanes) / MOST_DOTS))]:
        y = middle - 10 if entry.kind is Happened.NOTE else middle
        parts.append(dot(LEFT + entry.at_s * to_x, y, 2.5, str(entry.kind), f"{entry.at_s:.3f} s: {entry.text}"))
    return parts


def _bar(band: Band, top: float, to_x: float, end_s: float) -> list[str]:
    x, width = LEFT + band.from_s * to_x, (min(band.to_s, end_s) - band.from_s) * to_x
    parts = [box(x, top + 2, width, BAR - 6, "fault", f"{band.from_s:g} to {band.to_s:g} s: {band.text}")]
    if x + width + 7 * len(band.text) < WIDTH - RIGHT:
        return [*parts, label(x + max(width, 1.5) + 6, top + BAR - 6, band.text, "fault-name")]
    return [*parts, label(x - 6, top + BAR - 6, band.text, "fault-name", "end")]


def _state_colours(story: Story) -> dict[str, int]:
    texts = dict.fromkeys(span.text for span in story.spans if span.kind == "state")
    return {text: number % STATES for number, text in enumerate(texts)}


def _nice(step: float) -> float:
    """Return the next larger of 1, 2 or 5 times a power of ten."""
    if step <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(step))
    return next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= step)
