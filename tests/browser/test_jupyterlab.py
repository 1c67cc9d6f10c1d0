"""A learner opens a week in JupyterLab: it runs, it grades, and it can be read, in the light and in the dark theme."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

READABLE = 4.5  # WCAG 2.2, 1.4.3: contrast of text, level AA

# Every piece of text inside the elements that a selector finds, with its contrast against what lies behind it.
CONTRASTS = """(selector) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
        return {channels: [red, green, blue], alpha: alpha / 255};
    };
    const over = (front, back) => front.channels.map(
        (value, i) => front.alpha * value + (1 - front.alpha) * back[i]);
    const background = (element) => {
        // Plotly draws its paper in the first of several drawings that lie upon one another.
        const paper = element.closest(".svg-container")?.querySelector("svg.main-svg");
        if (paper && element !== paper && !element.contains(paper)) return background(paper);
        const own = rgba(getComputedStyle(element).backgroundColor);
        if (own.alpha === 1) return own.channels;
        return over(own, element.parentElement ? background(element.parentElement) : [255, 255, 255]);
    };
    const luminance = (channels) => {
        const [red, green, blue] = channels.map((value) => value / 255).map(
            (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const found = [];
    for (const root of document.querySelectorAll(selector)) {
        const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode.data.trim();
            const element = texts.currentNode.parentElement;
            const box = element.getBoundingClientRect();
            if (!text || box.width === 0 || element.closest("style, script")) continue;
            const style = getComputedStyle(element);
            const behind = background(element);
            const colour = element instanceof SVGElement ? style.fill : style.color;
            const levels = [over(rgba(colour), behind), behind].map(luminance).sort((a, b) => a - b);
            found.push({text, contrast: (levels[1] + 0.05) / (levels[0] + 0.05)});
        }
    }
    return found;
}"""

# Outputs that are wider than the place they have: their right end is out of sight.
TOO_WIDE = """() => [...document.querySelectorAll(".jp-OutputArea-output")]
    .filter((output) => output.scrollWidth > output.clientWidth + 1).map((output) => output.innerText)"""


def test_the_weeks_notebook_opens_and_its_kernel_runs_cells(jupyterlab):
    jupyterlab.open("week01.ipynb")
    expect(jupyterlab.page.locator(".jp-MarkdownCell h1")).to_contain_text("Week 1")
    jupyterlab.run(jupyterlab.cell("num_workers = None"))
    expect(jupyterlab.run(jupyterlab.cell("from checks import week01"))).to_contain_text("sizes: smoke")


def test_the_first_screen_asks_nothing_about_news(jupyterlab):
    jupyterlab.open("week01.ipynb")
    expect(jupyterlab.page.locator(".Toastify__toast")).to_have_count(0)


def test_an_exercise_is_graded_where_it_is_written(jupyterlab):
    jupyterlab.open("week01.ipynb")
    jupyterlab.run(jupyterlab.cell("from checks import week01"))
    exercise = jupyterlab.cell("blast_radius = ")
    check = jupyterlab.cell("week01.blast_radius.check(blast_radius)")

    def verdict(answer):
        if answer is not None:
            jupyterlab.write(exercise, f"blast_radius = {answer!r}")
        jupyterlab.run(exercise)
        shown = jupyterlab.run(check)
        expect(shown).to_have_class(re.compile("jp-RenderedHTML"))
        return shown

    right = {"gcs_server": "A", "raylet": "B", "worker": "C", "driver": "D", "dashboard": "E"}
    expect(verdict(None)).to_contain_text("Exercise 1.1: not attempted")
    shown = verdict(right | {"raylet": "C"})
    expect(shown).to_contain_text("Exercise 1.1: failed (4 of 5 criteria hold)")
    failed = shown.locator("tr", has_text="FAIL")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text("the process that takes a node's objects with it is named")
    expect(failed.locator("em")).to_contain_text("look at raylet's arguments")
    expect(verdict(right)).to_contain_text("Exercise 1.1: passed (5 of 5 criteria hold)")


def test_a_figure_is_a_picture_until_a_pointer_rests_on_it(displays):
    figure = displays.page.locator(".jp-RenderedPlotly")
    figure.scroll_into_view_if_needed()
    picture = figure.locator("img.plot-img")
    expect(picture).to_be_visible()
    height = picture.bounding_box()["height"]
    picture.dispatch_event("mouseenter")
    expect(figure.locator("svg.main-svg").first).to_be_visible()
    expect(picture).to_be_hidden()
    for text in ("Loss", "measured, n = 1", "SIGKILL", "your guess"):
        expect(figure.locator("svg.main-svg text", has_text=text).first).to_be_visible()
    assert figure.locator("svg.main-svg").first.bounding_box()["height"] == pytest.approx(height, abs=2)


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_display_can_be_read_in_both_themes(displays, theme):
    displays.use_theme(theme)
    plot = displays.page.locator(".jp-RenderedPlotly")
    if not plot.locator("svg.main-svg").count():
        plot.locator("img.plot-img").dispatch_event("mouseenter")
        expect(plot.locator("svg.main-svg").first).to_be_visible()
    found = displays.page.evaluate(CONTRASTS, ".jp-OutputArea-output")
    shown = " ".join(one["text"] for one in found)
    for text in ("not attempted", "FAIL", "what is", "layres", "passed", "not measured", "simulated_ms", "your guess"):
        assert text in shown
    assert [one for one in found if one["contrast"] < READABLE] == []
    assert displays.page.evaluate(TOO_WIDE) == []


def test_the_measure_of_contrast_knows_good_from_bad(jupyterlab):
    page = jupyterlab.page.context.browser.new_page()
    page.set_content(
        '<body style="background:#111"><p style="color:#777">pale</p><p style="color:#fff">plain</p>'
        '<div style="background:#fff"><p style="color:#000"><span style="background:rgba(0,0,0,0.5)">half</span></p>'
        '<svg class="main-svg"><text y="20" fill="#777">drawn</text></svg></div></body>'
    )
    found = {one["text"]: one["contrast"] for one in page.evaluate(CONTRASTS, "body")}
    page.close()
    # From the definition in WCAG 2.2; half of black over white is #7f7f7f or #808080.
    assert found == pytest.approx({"pale": 4.21, "plain": 18.88, "half": 5.28, "drawn": 4.48}, abs=0.06)
