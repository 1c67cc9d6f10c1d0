"""Keep the README's table of weeks equal to the catalogue: `python -m labsupport.course.readme` writes it.

A test fails when the two differ, so the README cannot drift.
"""

from __future__ import annotations

import re
import sys

from labsupport.course import catalog
from labsupport.course.notebooks.builder import course_root, week_name
from labsupport.course.notebooks.notebook_file import write_whole

BLOCK = re.compile(r"(<!-- weeks: [^\n]*-->\n).*?(<!-- end of weeks -->)", re.DOTALL)


def weeks_table() -> str:
    """Return the weeks as a Markdown table; a week whose lab is there links to it."""
    root = course_root()
    lines = ["| week | subject | project |", "|---|---|---|"]
    for week in catalog.WEEKS:
        lab = f"labs/{week_name(week.number)}.ipynb"
        number = f"[{week.number}]({lab})" if (root / lab).is_file() else str(week.number)
        lines.append(f"| {number} | {week.title} | {week.project or 'introduction'} |")
    return "\n".join(lines) + "\n"


def with_table(readme: str) -> str:
    """Return the README with the present table between its two marks."""
    return BLOCK.sub(lambda block: block[1] + "\n" + weeks_table() + "\n" + block[2], readme)


def main() -> int:
    """Write the table into the README of this checkout."""
    path = course_root() / "README.md"
    write_whole(path, with_table(path.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
