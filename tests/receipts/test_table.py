from __future__ import annotations

import io
from html.parser import HTMLParser

import pytest

from labsupport.receipts.receipt import Kind, Receipt
from labsupport.receipts.table import quantity_text, rich_table, significant, table

NEEDS = {Kind.SIMULATED: {"details": {"seed": 1}}, Kind.QUOTED: {"source": "data sheet, 2026-01-05"}}


def receipt(name: str = "step_ms", kind: Kind = Kind.MEASURED, **changes: object) -> Receipt:
    fields: dict = {
        "value": 41.234,
        "unit": "ms",
        "n": 20,
        "spread": 0.81,
        "hardware": "AMD EPYC 7B13 Processor, 2 cores, 24 GiB, no GPU",
        "command": "labs train",
        "commit": "abc",
        "source": "",
        "at": "2026-01-31T12:00:00Z",
        "details": {},
    }
    return Receipt(name=name, kind=kind, **(fields | NEEDS.get(kind, {}) | changes))


RESULTS = [receipt(kind=kind, name=f"{kind}_ms") for kind in Kind if kind is not Kind.TARGET]


class Collector(HTMLParser):
    """Collects the tags, their styles and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.badges: list[str] = []
        self.feed(page)
        assert not self.open, "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "span":
            self.badges.append(str(dict(attrs)["style"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_notebook_gets_html_and_text() -> None:
    bundle = table(RESULTS)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    for form in bundle.values():
        for kind in ("measured", "simulated", "modelled", "quoted"):
            assert kind in form
        assert "41.2 ± 0.8 ms" in form
        assert "n=20" in form
        assert "AMD EPYC 7B13 Processor, 2" in form


def test_plain_text_is_aligned() -> None:
    lines = repr(table([receipt("a"), receipt("a_longer_name", value=1234.0)], caption="Steps")).splitlines()
    assert lines[0] == "Steps"
    assert len({line.index("measured") for line in lines[3:]}) == 1
    assert all(line == line.rstrip() for line in lines)


def test_every_kind_has_a_badge_of_its_own() -> None:
    badges = Collector(table([*RESULTS, receipt(kind=Kind.TARGET)], targets=True).to_html()).badges
    assert len(badges) == len(set(badges)) == 5


def test_html_takes_its_colours_from_the_theme() -> None:
    page = table(RESULTS).to_html()
    assert "<style" not in page  # a notebook that is not trusted loses it
    for badge in Collector(page).badges:
        assert ("color:#" in badge) == ("background-color:#" in badge), "a fixed colour needs its own background"


def test_foreign_text_is_escaped() -> None:
    hostile = receipt("<script>alert(1)</script>", hardware='"><img src=x>', unit="<b>", command="'&")
    page = table([hostile], caption="<i>").to_html()
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>" not in page
    assert "<script>alert(1)</script>" in Collector(page).text


def test_a_goal_is_refused_among_results() -> None:
    goal = receipt("goal_ms", kind=Kind.TARGET)
    for show in (table, rich_table):
        with pytest.raises(ValueError, match="goal_ms"):
            show([goal])
        show([goal], targets=True)


def test_an_empty_table_is_a_header() -> None:
    assert repr(table([])).splitlines()[0].split() == ["name", "kind", "value", "n", "hardware"]


def test_the_terminal_table_shows_names_as_they_are() -> None:
    from rich.console import Console

    screen = Console(file=io.StringIO(), width=160)
    screen.print(rich_table([receipt("step[0]"), receipt("[red]x[/red]")], caption="Steps"))
    shown = screen.file.getvalue()
    assert "step[0]" in shown
    assert "[red]x[/red]" in shown
    assert "41.2 ± 0.8 ms" in shown


def test_a_narrow_terminal_breaks_names_and_never_a_value_and_tells_machines_apart() -> None:
    from rich.console import Console

    name = "training.recovery.failing_seeds_over_many_schedules"
    here, there = "AMD EPYC, 2 cores, no GPU", "Intel Xeon, 16 cores, NVIDIA H100 80GB HBM3, Linux x86_64"
    screen = Console(file=io.StringIO(), width=70)
    screen.print(rich_table([receipt(name, hardware=here), receipt(hardware=there)]))
    shown = screen.file.getvalue()
    assert "…" not in shown
    assert shown.count("41.2 ± 0.8 ms") == shown.count("measured") == shown.count("n=20") == 2
    assert f"1: {here}" in shown
    assert f"2: {there}" in shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0, "s", "0"),
        (41.234, "ms", "41.2"),
        (-41.234, "ms", "-41.2"),
        (1234.5678, "ms", "1,230"),
        (6000.0, "probes", "6,000"),
        (999_999.0, "B", "999,999"),
        (8_128_124.0, "tokens/s", "8.13e6"),
        (13.48e9, "B", "1.35e10"),
        (0.00012345, "s", "1.23e-4"),
        (0.25, "s", "0.250"),
        (0.9995, "fraction", "0.99950"),
        (99.98, "%", "99.980"),
        (99.5, "%", "99.50"),
        (0.862, "fraction", "0.862"),
        (0.5, "fraction", "0.500"),
        (1.0, "fraction", "1"),
        (1.25, "fraction", "1.25"),
    ],
)
def test_a_value_has_the_digits_that_matter(value: float, unit: str, shown: str) -> None:
    assert significant(value, unit) == shown


@pytest.mark.parametrize(
    ("value", "spread", "shown"),
    [
        (41.234, 0.81, "41.2 ± 0.8 ms"),
        (41.234, 0.123, "41.23 ± 0.12 ms"),
        (41.234, None, "41.2 ms"),
        (41.234, 0.0, "41.2 ms"),
        (41_234.0, 2345.0, "41,000 ± 2,000 ms"),
        (8_128_124.0, 20_000.0, "(8.13 ± 0.02)e6 ms"),
        (0.000123, 0.000004, "(1.23 ± 0.04)e-4 ms"),
        (0.0, 0.5, "0.0 ± 0.5 ms"),
    ],
)
def test_the_spread_says_how_many_digits_count(value: float, spread: float | None, shown: str) -> None:
    assert quantity_text(receipt(value=value, spread=spread)) == shown


def test_a_long_hardware_name_is_cut_and_kept_in_the_tip() -> None:
    long = "AMD EPYC 7B13 Processor, 32 cores, 251 GiB, 8 x NVIDIA H100 80GB HBM3"
    page = table([receipt(hardware=long)]).to_html()
    assert "AMD EPYC 7B13 Processor, 32 cores, 251 GiB, 8 x…" in page
    assert f'title="{long}"' in page


def test_a_truth_is_said_as_yes_or_no() -> None:
    assert quantity_text(receipt(value=1.0, unit="bool", spread=None)) == "yes"
    assert quantity_text(receipt(value=0.0, unit="bool", spread=None)) == "no"


def test_a_column_without_a_word_in_it_is_left_out() -> None:
    assert ">n</th>" not in table([receipt(n=None, spread=None)]).to_html()
