"""The failure timeline: what it tells, that it needs nothing, and that no text of a program becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from labsupport.faults.virtual import (
    Completion,
    Fault,
    FaultKind,
    FaultSpec,
    Program,
    Scenario,
    Schedule,
    write_timeline,
)
from labsupport.faults.virtual.log import Entry, Happened
from labsupport.faults.virtual.timeline.overview import overview_svg
from labsupport.faults.virtual.timeline.page import story_of, timeline_html
from labsupport.faults.virtual.timeline.story import EARLIER_ROWS, LAST_ROWS, SMALL_GAP, WORTH_SHOWING, Band, Story

HOSTILE = "<script>alert('x')</script> & \"more\""


class Talker(Program):
    """Sends its counter to `b` every 0.1 s and says every tenth aloud."""

    def on_start(self, node):
        self.count = 0
        node.publish(role="talker")
        node.after(0.1, "talk")

    def on_timer(self, node, name):
        self.count += 1
        if self.count % 10 == 0:
            node.note(f"{HOSTILE} {self.count}")
        node.send("b", {"count": self.count})
        node.after(0.1, "talk")


class Keeper(Program):
    def on_message(self, node, message, sender):
        if message["count"] % 5 == 0:
            node.disk.append("log", b"x")
            node.disk.fsync("log")
            node.accepted("b", 1, sender)


class Reader(Program):
    def on_start(self, node):
        self.open = node.invoke("read", "x")
        node.after(0.5, "answer")
        node.after(20.0, "idle")

    def on_timer(self, node, name):
        if name == "answer":
            node.complete(self.open, result=7)
            node.invoke("write", "x", 8)


def build(world):
    world.add("a", Talker)
    world.add("b", Keeper)
    world.add("reader", Reader)
    world.invariant(lambda world: "too <late>" if world.now_s > 25 else None, name="short runs")


SCENARIO = Scenario("<b>talk</b>", build, FaultSpec.of("crash"), duration_s=30.0)
FAULTS = (
    Fault(FaultKind.CRASH, 5.0, 1.0, ("b",)),
    Fault(FaultKind.PAUSE, 22.0, 1.0, ("b",)),
    Fault(FaultKind.PARTITION, 24.0, 0.5, ("a",), ("b",)),
    Fault(FaultKind.PAUSE, 26.0, 1.0, ("a",)),
)


@pytest.fixture(scope="module")
def run():
    return SCENARIO.replay(Schedule("<b>talk</b>", 3, FAULTS))


@pytest.fixture(scope="module")
def page(run) -> str:
    return timeline_html(story_of(run))


class Elements(HTMLParser):
    """Collects elements and the text inside them; refuses tags that do not match."""

    VOID = frozenset({"meta"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def with_class(self, name: str) -> list[dict]:
        return [attributes for _, attributes in self.tags if name in (attributes.get("class") or "").split()]


class TestPage:
    def test_it_is_whole_and_says_what_broke_when(self, page):
        text = "".join(Elements(page).text)
        assert "<b>talk</b>: seed 3" in text
        assert "invariant broken at 25." in text
        assert "short runs: too <late>" in text
        assert "scenario.run(seed=3)" in text

    def test_no_text_of_a_program_becomes_markup(self, page):
        elements = Elements(page)
        assert {tag for tag, _ in elements.tags} & {"script", "img"} == set()
        assert HOSTILE in "".join(elements.text)

    def test_it_needs_no_network_and_no_script(self, page):
        assert "default-src 'none'" in page
        names = {name for _, attributes in Elements(page).tags for name in attributes}
        assert names & {"src", "href", "onclick", "onload", "srcset"} == set()
        assert re.findall(r"url\((?!#)|@import|https?:", page) == []

    def test_it_follows_the_readers_theme(self, page):
        assert "color-scheme: light dark" in page
        assert "@media (prefers-color-scheme: dark)" in page

    def test_every_colour_that_is_used_is_defined_in_both_themes(self, page):
        light, dark = re.findall(r":root \{(.*?)\}", page, re.DOTALL)[:2]
        used = set(re.findall(r"var\((--[a-z0-9-]+)\)", page)) - {"--row", "--lanes"}
        for theme in (light, dark):
            assert used <= set(re.findall(r"(--[a-z0-9-]+):", theme))

    def test_it_is_written_where_it_is_asked_for_and_names_the_schedule(self, run, tmp_path):
        path = write_timeline(run, tmp_path / "page.html", schedule_file=tmp_path / "schedule.json")
        assert path == tmp_path / "page.html"
        assert "schedule.json" in path.read_text(encoding="utf-8")

    def test_a_run_that_survived_says_so(self):
        survived = Scenario("quiet", lambda world: world.add("a", Program) and None, FaultSpec.of("crash"), 20.0)
        text = "".join(Elements(timeline_html(story_of(survived.replay(Schedule("quiet", 1))))).text)
        assert "Nothing failed in 20 s." in text

    def test_a_long_run_of_many_nodes_stays_far_below_a_megabyte(self):
        class Floods(Program):
            def on_start(self, node):
                node.after(0.01, "flood")

            def on_timer(self, node, name):
                for peer in node.peers:
                    node.send(peer, {"payload": "x" * 500})
                node.note("y" * 500)
                node.after(0.01, "flood")

        def build(world):
            for number in range(12):
                world.add(f"node-{number}", Floods)

        run = Scenario("flood", build, FaultSpec.of("crash", quiet_s=1), duration_s=4).run(1)
        assert len(run.log) > 50_000
        assert len(timeline_html(story_of(run))) < 700_000


class TestOverview:
    def test_it_has_a_lane_for_each_node_and_a_bar_for_each_fault_that_began(self, run):
        overview = Elements(overview_svg(story_of(run)))
        assert len(overview.with_class("name")) == 3
        assert len(overview.with_class("fault-name")) == 3  # the fourth begins after the end
        assert len(overview.with_class("down")) == 1
        assert len(overview.with_class("broken")) == 1
        assert len(overview.with_class("operation")) == 2
        assert "role = talker" in overview.text
        assert len(overview.with_class("accept")) > 10


class TestRows:
    def test_the_last_rows_are_whole_and_of_earlier_ones_what_matters_is_kept(self, run):
        rows = story_of(run).rows
        whole = rows[-LAST_ROWS:]
        assert all(row.left_out == 0 for row in whole)
        earlier = [row for row in rows[:-LAST_ROWS] if not row.left_out]
        assert any(Happened.CRASH in row.kinds for row in earlier)
        assert 0 < sum(bool(row.kinds & WORTH_SHOWING) for row in earlier) <= EARLIER_ROWS
        assert len(earlier) <= EARLIER_ROWS * (1 + SMALL_GAP)

    def test_a_gap_is_worth_its_row(self, run):
        gaps = [row.left_out for row in story_of(run).rows if row.left_out]
        assert gaps
        assert min(gaps) > SMALL_GAP

    def test_no_row_is_lost(self, run):
        story = story_of(run)
        shown = sum(not row.left_out for row in story.rows) + sum(row.left_out for row in story.rows)
        events = [entry for entry in run.log if entry.kind in (Happened.RECEIVE, Happened.TIMER, Happened.START)]
        assert shown > len(events) * 0.9
        assert [row.first for row in story.rows] == sorted(row.first for row in story.rows)

    def test_a_row_is_one_event_with_what_it_did(self, run):
        keeps = next(row for row in reversed(story_of(run).rows) if Happened.ACCEPT in row.kinds)
        assert [entry.kind for entry in keeps.entries] == ["receive", "disk", "disk", "accept"]

    def test_a_timer_after_which_nothing_happened_is_left_out(self, page):
        text = "".join(Elements(page).text)
        assert "timer 'talk'" in text
        assert "timer 'idle'" not in text

    def test_an_event_that_did_much_is_told_in_part(self):
        sends = [Entry(1.0, Happened.SEND, "a", f"message {n}", "b", n) for n in range(1, 31)]
        page = timeline_html(Story("t", "", ("a", "b"), (), [Entry(1.0, Happened.TIMER, "a", "go"), *sends], 2.0))
        assert "message 7" in "".join(Elements(page).text)
        assert "and 23 more" in "".join(Elements(page).text)

    def test_the_end_is_the_last_row(self, run, page):
        assert story_of(run).rows[-1].kinds == {Happened.BROKEN}
        assert page.rindex("invariant broken: short runs") > page.rindex("<time>25.")


class TestMessages:
    def test_lost_late_and_travelling_messages_are_told_apart(self, run, page):
        story = story_of(run)
        lost = [message for message in story.messages if message.lost]
        late = [message for message in story.messages if message.late]
        assert 12 <= len(lost) <= 18  # 1 s down and 0.5 s cut off, at 10 a second
        assert 8 <= len(late) <= 12  # those that waited for the end of the pause, but for the last
        elements = Elements(page)
        assert len(elements.with_class("lost")) >= 2 * 4
        assert len(elements.with_class("late")) >= 8

    def test_a_message_that_arrives_twice_is_drawn_twice(self):
        log = [
            Entry(1.0, Happened.SEND, "a", "x", "b", 1),
            Entry(1.1, Happened.RECEIVE, "b", "x", "a", 1),
            Entry(1.2, Happened.RECEIVE, "b", "x", "a", 1),
            Entry(1.3, Happened.SEND, "a", "y", "b", 2),
        ]
        messages = Story("t", "", ("a", "b"), (), log, 2.0).messages
        assert [(message.text, message.arrived) for message in messages] == [("x", 1), ("x", 2), ("y", None)]

    def test_a_story_needs_no_world(self):
        """A drill on real processes that writes such entries gets the same page."""
        log = [
            Entry(1.0, Happened.INVOKE, "client", "write x = 1", number=1),
            Entry(1.5, Happened.COMPLETE, "client", "write x = 1: ok", number=1),
            Entry(2.0, Happened.CRASH, "server", "killed"),
        ]
        bands = (Band("SIGKILL server", 2.0, 3.0, ("server",)),)
        page = timeline_html(Story("drill", "lost a write", ("client", "server"), bands, log, 4.0))
        elements = Elements(page)
        assert "lost a write" in "".join(elements.text)
        assert len(elements.with_class("down")) == 2  # in the overview and in the lanes
        assert len(elements.with_class("operation")) == 2


def test_a_band_lasts_from_its_beginning_to_its_end_in_the_log(run):
    bands = story_of(run).faults
    assert [band.text for band in bands] == ["crash b", "pause b", "partition a -> b"]
    for band in bands:
        assert run.log[band.begun].kind is Happened.FAULT
        assert run.log[band.ended].kind is Happened.REVERT
        assert run.log[band.begun].at_s == band.from_s


def test_operations_that_never_return_last_to_the_end(run):
    spans = [span for span in story_of(run).spans if span.kind == "operation"]
    assert [(span.from_s, span.text) for span in spans] == [(0.0, "read x -> 7"), (0.5, "write x = 8")]
    assert spans[1].to_s == run.world.now_s


def test_a_timeline_tells_unknown_ends(tmp_path):
    class TimesOut(Program):
        def on_start(self, node):
            node.complete(node.invoke("write", "x", 1), completion=Completion.UNKNOWN)

    run = Scenario("t", lambda world: world.add("a", TimesOut) and None, FaultSpec.of("crash"), 20.0).run(1)
    assert "is told: write x = 1: unknown" in timeline_html(story_of(run))
