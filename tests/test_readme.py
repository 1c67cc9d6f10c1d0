"""The README says what is there."""

from __future__ import annotations

import re

from labsupport.course.notebooks.builder import course_root
from labsupport.course.readme import with_table

ROOT = course_root()
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_weeks_is_that_of_the_catalogue():
    assert with_table(README) == README, "run: python -m labsupport.course.readme"


def test_every_file_that_the_readme_links_to_is_there():
    linked = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert linked
    assert [target for target in linked if not (ROOT / target).exists()] == []


def test_the_tree_names_folders_that_exist():
    tree = README[README.index("## The tree") :]
    folders = re.findall(r"^(\w+)/ ", tree, re.MULTILINE)
    inside = re.findall(r"^  (\w+)/ ", tree, re.MULTILINE)
    assert [name for name in folders if not (ROOT / name).is_dir()] == []
    assert [name for name in inside if not (ROOT / "labsupport" / name).is_dir()] == []
