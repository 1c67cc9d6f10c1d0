"""A learner's work is a copy in the workspace, made once."""

from __future__ import annotations

from labsupport.course.learner import existing_learner_notebook, learner_folder, learner_notebook


def test_the_copy_is_made_once_and_never_written_again(isolated):
    assert existing_learner_notebook(1) is None
    copy = learner_notebook(1)
    copy.write_text("the learner's work")
    assert learner_notebook(1).read_text() == "the learner's work"
    assert existing_learner_notebook(1) == copy
    assert copy.is_relative_to(isolated)


def test_the_folder_holds_a_copy_of_every_lab():
    assert (learner_folder() / "week01.ipynb").is_file()
