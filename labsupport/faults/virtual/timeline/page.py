"""A failure timeline as one HTML page that needs nothing else: no script, no network, readable in light and dark.

At the top what broke, then the whole run at a glance, then the events that led to the end. A content security policy
forbids everything but the page's own style, whatever the texts of a learner's program hold.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from labsupport.faults.virtual.fault import FACTS, Fault
from labsupport.faults.virtual.scenario import Run
from labsupport.faults.virtual.timeline.overview import overview_svg
from labsupport.faults.virtual.timeline.sequence import sequence_html
from labsupport.faults.virtual.timeline.story import Band, Story

STYLE = Path(__file__).with_name("timeline.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
HEADS = (
    '<svg width="0" height="0" aria-hidden="true"><defs>'
    + "".join(
        f'<marker id="{name}" class="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" class="{name}"/></marker>'
        for name in ("head", "late-head")
    )
    + "</defs></svg>"
)
LEGEND = "".join(
    f'<span><i style="background:var(--{colour})"></i>{words}</span>'
    for colour, words in (
        ("fault", "fault"),
        ("down", "down"),
        ("message", "message"),
        ("late", "late message"),
        ("bad", "lost message, and the line where it broke"),
        ("note", "note(...) of the program"),
        ("accept", "accepted write"),
    )
)


def write_timeline(run: Run, path: Path, *, schedule_file: Path | None = None) -> Path:
    """Write the timeline of a recorded run and return its path."""
    path.write_text(timeline_html(story_of(run, schedule_file)), encoding="utf-8")
    return path


def story_of(run: Run, schedule_file: Path | None = None) -> Story:
    """Return what the timeline of a run shows."""
    schedule = run.schedule
    replay = f"scenario.replay(Path({str(schedule_file)!r}))" if schedule_file else f"scenario.run(seed={run.seed})"
    return Story(
        title=f"{schedule.scenario}: seed {schedule.seed}",
        failure="" if run.failure is None else str(run.failure),
        lanes=tuple(run.world.machines),
        bands=tuple(map(_band, schedule.faults)),
        log=run.log,
        end_s=run.world.now_s,
        replay=replay,
    )


def timeline_html(story: Story) -> str:
    """Return the page."""
    failure = f'<div class="failure"><pre>{escape(story.failure)}</pre></div>'
    survived = f'<div class="failure survived">Nothing failed in {story.end_s:g} s.</div>'
    replay = f"See it again with <code>{escape(story.replay)}</code>." if story.replay else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(story.title)}</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
{HEADS}
<h1>{escape(story.title)}</h1>
{failure if story.failure else survived}
<p class="muted">Simulated: time is virtual, and the same schedule gives the same run.
{replay}</p>
<h2>The whole run</h2>
{overview_svg(story)}
<p class="legend muted">{LEGEND}</p>
<h2>What led to the end</h2>
<p class="muted">A row is one event: time runs down, but not to scale. Timers that did nothing are left out.
Point at a row or an arrow to read all of it.</p>
{sequence_html(story)}
</body>
</html>
"""


def _band(fault: Fault) -> Band:
    return Band(fault.what, fault.at_s, fault.ends_s, () if FACTS[fault.kind].on_links else fault.nodes)
