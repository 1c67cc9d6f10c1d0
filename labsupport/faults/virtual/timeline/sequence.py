"""What led to the end, event by event: time runs down, messages go from lane to lane, the words stand beside.

Every event has a row of its own, however short the time between two; so a pause of three seconds and a round trip of a
millisecond are both to be seen. Where rows are left out, a gap says how many.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby

from labsupport.faults.virtual.log import Entry, Happened
from labsupport.faults.virtual.timeline.story import Message, Row, Story
from labsupport.faults.virtual.timeline.svg import arrow, box, cross, cut, dot, element, line

ROW = 22  # also --row in timeline.css
LANES = 640  # of all lanes together, within the bounds for one
NARROWEST, WIDEST = 40, 92
MOST_WORDS = 8  # of what one event did
WORD_CHARS, TITLE_CHARS = 160, 600
DOTS = (Happened.BROKEN, Happened.CRASH, Happened.FAULT, Happened.REVERT, Happened.NOTE, Happened.ACCEPT)


def sequence_html(story: Story) -> str:
    """Return the lanes and the rows beside them."""
    lane = max(NARROWEST, min(WIDEST, LANES // len(story.lanes)))
    lanes = {name: (number + 0.5) * lane for number, name in enumerate(story.lanes)}
    width = lane * len(lanes)
    names = "".join(f'<span style="width:{lane}px" title="{escape(name)}">{escape(name)}</span>' for name in lanes)
    rows = "\n".join(map(_row_html, story.rows))
    return (
        f'<div class="sequence" style="--lanes:{width}px">'
        f'<div class="names"><span class="time">time</span>{names}</div>'
        f"{_lanes_svg(story, lanes, width)}<ol>{rows}</ol></div>"
    )


def _lanes_svg(story: Story, lanes: dict[str, float], width: float) -> str:
    rows = story.rows
    height = ROW * len(rows)
    starts = [row.first for row in rows]
    parts = [line(x, 0, x, height, "lane") for x in lanes.values()]
    for band in story.faults:
        top, bottom = _y(starts, band.begun), height if band.ended is None else _y(starts, band.ended)
        half = min(30.0, width / len(lanes) / 3)
        parts += [box(lanes[name] - half, top, 2 * half, bottom - top, "fault shade", band.text) for name in band.nodes]
    for span in story.spans:
        top, bottom = _y(starts, span.first), height if span.last == len(story.log) else _y(starts, span.last)
        if span.kind == "down":
            parts.append(box(lanes[span.node] - 8, top, 16, bottom - top, "down", span.text))
        elif span.kind == "operation":
            parts.append(box(lanes[span.node] - 3, top, 6, bottom - top, "operation", span.text))
    parts += [box(0, number * ROW + 3, width, ROW - 6, "gap") for number, row in enumerate(rows) if row.left_out]
    for message in story.messages:
        parts += _arrow(story, message, lanes, starts)
    for number, row in enumerate(rows):
        y = (number + 0.5) * ROW
        if row.node in lanes:
            kind = next((kind for kind in DOTS if kind in row.kinds), "event")
            parts.append(dot(lanes[row.node], y, 4, str(kind)))
        if Happened.BROKEN in row.kinds:
            parts.append(line(0, y, width, y, "broken"))
    return element("svg", "\n".join(parts), width=width, height=height, viewBox=f"0 0 {width} {height}", class_="lanes")


def _arrow(story: Story, message: Message, lanes: dict[str, float], starts: list[int]) -> list[str]:
    """Draw a message of which one end at least is in a row; of one that is on its way, a stub."""
    ends = [_row_of(starts, entry) for entry in (message.sent, message.arrived) if entry is not None]
    if message.sender == message.receiver or all(story.rows[row].left_out for row in ends):
        return []
    x1, x2 = lanes[message.sender], lanes[message.receiver]
    y1 = _y(starts, message.sent)
    what = f"{message.sender} to {message.receiver}: {message.text}"
    if message.arrived is None:
        x, y = x1 + (x2 - x1) * 0.4, y1 + ROW
        return [line(x1, y1, x, y, "message on-its-way", f"still on its way: {what}")]
    y2 = _y(starts, message.arrived)
    if message.lost:
        x, y = x1 + (x2 - x1) * 0.6, y1 + max(y2 - y1, ROW * 0.4) * 0.6
        return [
            line(x1, y1, x, y, "message lost", f"{story.log[message.arrived].text}: {what}"),
            cross(x, y, "lost"),
        ]
    before_the_dot = -5 if x2 > x1 else 5
    late = "late " if message.late else ""
    return [arrow(x1, y1, x2 + before_the_dot, y2, f"{late}message".strip(), f"{late}{what}", late=message.late)]


def _row_of(starts: list[int], entry: int) -> int:
    """Return the number of the row that holds an entry of the log, or of the one before where it is in none."""
    return max(0, bisect_right(starts, entry) - 1)


def _y(starts: list[int], entry: int | None) -> float:
    """Return the height at which an entry of the log is drawn; the top for one that came before all rows."""
    return 0.0 if entry is None or not starts or entry < starts[0] else (_row_of(starts, entry) + 0.5) * ROW


def _row_html(row: Row) -> str:
    if row.left_out:
        return f'<li class="gap"><time></time><p>{row.left_out:,} events left out</p></li>'
    kinds = " ".join(kind for kind in DOTS if kind in row.kinds and kind not in (Happened.NOTE, Happened.ACCEPT))
    together = list(_disk_together(row.entries))
    words = " &middot; ".join(map(_words, together[:MOST_WORDS]))
    if len(together) > MOST_WORDS:
        words += f" &middot; and {len(together) - MOST_WORDS} more"
    plain = "; ".join(f"{entry.kind} {entry.peer} {entry.text}".replace("  ", " ") for entry in row.entries)
    who = f"<b>{escape(row.node)}</b> " if row.node else ""
    title = escape(cut(plain, TITLE_CHARS))
    return f'<li class="{kinds}"><time>{row.at_s:.3f}</time><p title="{title}">{who}{words}</p></li>'


def _disk_together(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield the entries one by one, but what a handler does to the disk in a row as one."""
    for is_disk, group in groupby(entries, lambda entry: entry.kind is Happened.DISK):
        if is_disk:
            yield list(group)
        else:
            yield from ([entry] for entry in group)


def _words(entries: list[Entry]) -> str:
    entry = entries[0]
    text = escape(cut(entry.text, WORD_CHARS))
    match entry.kind:
        case Happened.SEND:
            return f"to {escape(entry.peer)}: <code>{text}</code>"
        case Happened.RECEIVE:
            return f"from {escape(entry.peer)}: <code>{text}</code>"
        case Happened.LOST:
            return f"<em>from {escape(entry.peer)}: {text}</em>"
        case Happened.NOTE:
            return f"<mark>{text}</mark>"
        case Happened.ACCEPT:
            return f'<span class="accept">accepts {text}</span>'
        case Happened.TIMER:
            return f"timer {text}"
        case Happened.DISK:
            return "disk: " + ", ".join(escape(one.text) for one in entries)
        case Happened.INVOKE:
            return f"asks: {text}"
        case Happened.COMPLETE:
            return f"is told: {text}"
        case Happened.FAULT:
            return f"begins: {text}"
        case Happened.REVERT:
            return f"ends: {text}"
    return text
