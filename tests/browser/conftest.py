"""JupyterLab as a learner has it: `labs lab` in a workspace of its own, driven by the Chromium of binder/apt.txt."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from labsupport.course.doctor.tools import VARIABLE, required_names
from labsupport.processes import die_with_parent, supervised

# Containers run as root, without a GPU, and a test asks nothing of the network.
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
STEP_LIMIT_MS = 60_000  # a kernel's first cell imports torch and Ray, on a busy machine
THEMES = {"Light": "rgb(255, 255, 255)", "Dark": "rgb(17, 17, 17)"}  # what a notebook is written on
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/\S*\?(token=\w+)")


@dataclass(frozen=True)
class JupyterLab:
    """One browser page on a running server."""

    page: Page
    address: str
    token: str
    folder: Path

    def open(self, name: str) -> None:
        """Open a notebook, close all others, and wait for its kernel."""
        self.page.goto(f"{self.address}/lab/tree/{name}?reset&{self.token}")
        expect(self.page.locator(".jp-Notebook .jp-Cell").first).to_be_visible()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        # Not the notebook's own indicator: that one is idle, too, before there is a kernel.
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("Python 3 (ipykernel) | Idle")

    def cell(self, text: str) -> Locator:
        """Return the code cell whose source holds `text`."""
        editor = self.page.locator(".jp-InputArea-editor", has_text=text)
        return self.page.locator(".jp-CodeCell", has=editor)

    def run(self, cell: Locator) -> Locator:
        """Run one cell to its end and return its outputs."""
        cell.locator(".cm-content").click()  # scrolls it into view: a prompt out of sight is empty
        prompt = cell.locator(".jp-InputPrompt")
        expect(prompt).to_have_text(re.compile(r"^\[.+\]:$"))
        before = re.escape(prompt.inner_text().strip())
        self.page.keyboard.press("Control+Enter")
        expect(prompt).to_have_text(re.compile(rf"^(?!{before})\[\d+\]:$"))
        return cell.locator(".jp-OutputArea-output")

    def write(self, cell: Locator, source: str) -> None:
        """Replace the source of a cell."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)

    def run_all(self) -> None:
        """Run all cells of the open notebook."""
        self._choose("Run", "Run All Cells")
        expect(self.page.locator(".jp-CodeCell .jp-InputPrompt").last).to_have_text(re.compile(r"^\[\d+\]:$"))

    def use_theme(self, name: str) -> None:
        """Choose one of JupyterLab's themes, as a learner does."""
        self._choose("Settings", "Theme", f"JupyterLab {name}")
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-name", f"JupyterLab {name}")
        expect(self.page.locator(".jp-Notebook")).to_have_css("background-color", THEMES[name])  # its style is there

    def _choose(self, menu: str, *items: str) -> None:
        self.page.get_by_role("menubar").get_by_text(menu, exact=True).click()
        *parents, last = items
        for item in parents:
            self._item(item).hover()
        self._item(last).click()

    def _item(self, name: str) -> Locator:
        return self.page.locator(".lm-Menu-item", has=self.page.get_by_text(name, exact=True))


@pytest.fixture(scope="module")
def chromium() -> str:
    """Return the path of Chromium; without it tests fail where LABS_REQUIRE declares it and are skipped elsewhere."""
    path = shutil.which("chromium")
    if path is None:
        if "chromium" in required_names(os.environ.get(VARIABLE, "")):
            pytest.fail(f"{VARIABLE} declares chromium, and there is none on PATH: apt-get install chromium")
        pytest.skip("no chromium on PATH: apt-get install chromium")
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a learner who never started Jupyter."""
    home = tmp_path_factory.mktemp("home")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "IPYTHON", "XDG_", "LABS_", "PYTHONPATH"))
    }
    return kept | {"HOME": str(home), "LABS_WORKSPACE": str(home / "workspace"), "LABS_PROFILE": "smoke"}


@pytest.fixture(scope="module")
def server(chromium: str, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the address and the token that `labs lab 1` prints; afterwards nothing that it started is left."""
    workspace = Path(environment["LABS_WORKSPACE"])
    labs = Path(sys.executable).with_name("labs")
    log = workspace.with_name("jupyter.log")
    with supervised(), log.open("w") as stream:
        process = subprocess.Popen(
            [str(labs), "lab", "1", "--no-browser"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            preexec_fn=die_with_parent(),
        )
        deadline = time.monotonic() + START_LIMIT_S
        while not (found := ADDRESS.search(log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield found[1], found[2]
        assert processes_of(workspace), "the server and its kernels are found while they run"
        process.terminate()
        process.wait(STOP_LIMIT_S)
        assert processes_of(workspace) == []


@pytest.fixture(scope="module")
def jupyterlab(server: tuple[str, str], chromium: str, environment: dict[str, str]) -> Iterator[JupyterLab]:
    """Yield a page of 1400 x 900 pixels on the server."""
    address, token = server
    home = {"HOME": environment["HOME"]}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=list(CHROMIUM_ARGUMENTS), env=dict(os.environ) | home
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(STEP_LIMIT_MS)
        expect.set_options(timeout=STEP_LIMIT_MS)
        yield JupyterLab(page, address, token, Path(environment["LABS_WORKSPACE"]) / "labs")
        browser.close()


def processes_of(workspace: Path) -> list[str]:
    """Return the command lines of this user's processes that work in a workspace."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LABS_WORKSPACE") == str(workspace):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def displays(jupyterlab: JupyterLab) -> JupyterLab:
    """Open a notebook that shows each of labsupport's displays once, and run it."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in DISPLAYS.split("# %%\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(notebook, jupyterlab.folder / "displays.ipynb")
    jupyterlab.open("displays.ipynb")
    jupyterlab.run_all()
    return jupyterlab


DISPLAYS = """
from labsupport import Criterion, Exercise, Kind, Line, LineFigure, Receipt, ReceiptTable, scoreboard

even = [
    Criterion("even", "every value of `f` is even", lambda f: f(1) % 2 == 0, hint="what is `f(1)`?"),
    Criterion("small", "no value exceeds 8", lambda f: f(3) <= 8),
]
exercises = [Exercise(f"1.{number}", "Even", 5, criteria=tuple(even), reference=lambda n: 2, wrong=())
             for number in range(1, 6)]
facts = {"value": 41.2, "unit": "ms", "n": 20, "spread": 0.8, "command": "labs run 1", "commit": "abc",
         "hardware": "a machine, 2 cores, 24 GiB, no GPU", "at": "2026-01-31T12:00:00Z", "details": {"seed": 1}}
# %%
exercises[0].check(...)
# %%
exercises[1].check(lambda n: n)
# %%
exercises[2].check(lambda n: 2 * n)
# %%
def typo(n):
    print("the answer prints this")
    return layres


exercises[3].check(typo)
# %%
scoreboard(exercises)
# %%
ReceiptTable([Receipt(name=f"{kind}_ms", kind=kind, source="a paper, 2026", **facts) for kind in Kind],
             targets=True, caption="every kind of number")
# %%
LineFigure("Loss", "step", "nats", {"one process": Line([1, 2, 3], [3.0, 2.0, 1.5])}, "measured, n = 1", guess=2.5,
           events={"SIGKILL": 2.0})
"""
