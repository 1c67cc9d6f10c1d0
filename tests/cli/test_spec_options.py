"""A command takes the fields of a spec as options, and what the spec refuses is said in the spelling of options."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from labsupport.cli.spec_options import flag, given_options, spec_from, spec_options
from labsupport.errors import FieldError, LabsError
from labsupport.spec import Spec, setting, settings


@dataclass(frozen=True)
class Bench(Spec):
    rounds: int = setting(5, "measurements per variant", at_least=3)
    decay_rate: float = setting(0.5, "how fast it decays", at_least=0, below=1)
    variant: str = setting("ring", "which algorithm", choices=("ring", "tree"))
    limit: int | None = setting(None, "stop after this many", at_least=1)
    warm: bool = setting(False, "run once before")
    checked: bool = setting(True, "compare the results")
    names: Mapping[str, str] | None = setting(None, "what to call them")


said: list[Any] = []
app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
@spec_options(Bench)
def bench(context: typer.Context, *, as_json: bool = False, **fields: Any) -> None:
    """Measure."""
    said.append((spec_from(Bench, fields), given_options(context, Bench), as_json))


def run(*arguments: str):
    said.clear()
    result = CliRunner().invoke(app, arguments)
    return said[0] if said else result


def test_without_an_option_every_field_has_its_default():
    assert run() == (Bench(), [], False)


def test_options_are_read_in_the_types_of_their_fields():
    spec, given, as_json = run(
        "--rounds", "4", "--decay-rate", "1e-1", "--variant", "tree", "--limit", "2", "--warm", "--no-checked",
        "--names", "a=b", "--names", "c=d=e", "--as-json",
    )  # fmt: skip
    assert spec == Bench(4, 0.1, "tree", 2, True, False, {"a": "b", "c": "d=e"})
    assert given == ["rounds", "decay_rate", "variant", "limit", "warm", "checked", "names"]
    assert as_json


def test_the_help_has_every_field_with_its_default_and_choices():
    shown = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    for field in settings(Bench):
        assert flag(field.name) in shown
        assert field.help in shown
    for part in ("[default: 5]", "ring|tree", "--checked / --no-checked", "KEY=NAME"):
        assert part in shown
    assert "--no-warm" not in shown


def test_what_the_spec_refuses_is_spelled_as_options_for_the_command_line_and_as_fields_elsewhere():
    error = run("--decay-rate", "3").exception
    assert isinstance(error, FieldError)
    assert str(error) == "decay_rate is 3: a number of at least 0 and below 1 is needed"
    assert error.spelled(flag) == "--decay-rate is 3: a number of at least 0 and below 1 is needed"


@pytest.mark.parametrize("pair", ["a", "a=", "=b", ""])
def test_a_pair_without_key_or_name_is_refused_as_it_was_given(pair):
    error = run("--names", pair).exception
    assert isinstance(error, LabsError)
    assert str(error) == f"--names {pair}: write a key, =, and a name"


def test_a_refusal_in_a_worker_reaches_the_driver_as_its_words():
    error = pickle.loads(pickle.dumps(FieldError(lambda name: f"{name('rounds')} is 1")))
    assert (type(error), str(error)) == (LabsError, "rounds is 1")
