"""The options of a command, built from the fields of a spec: name, type, default and help stand with the field.

    @spec_options(BenchSpec)
    def bench(context: typer.Context, *, as_json: bool = False, **fields: Any) -> None:
        spec = spec_from(BenchSpec, fields)

What a spec refuses names its fields; `flag` spells them as a person types them (labsupport.cli.main).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer

from labsupport.errors import LabsError
from labsupport.spec import Setting, Spec, settings

Command = TypeVar("Command", bound=Callable[..., None])
S = TypeVar("S", bound=Spec)


def flag(field: str) -> str:
    """Return the command-line spelling of a field."""
    return "--" + field.replace("_", "-")


def spec_options(spec: type[Spec]) -> Callable[[Command], Command]:
    """Let a command take each field of a spec as an option; it gets them as keyword arguments."""

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        first = [one for one in own if one.kind is not inspect.Parameter.KEYWORD_ONLY]
        rest = [one for one in own if one.kind is inspect.Parameter.KEYWORD_ONLY]
        options = [_parameter(one) for one in settings(spec)]
        command.__signature__ = signature.replace(parameters=[*first, *options, *rest])  # type: ignore[attr-defined]
        return command

    return decorate


def given_options(context: typer.Context, spec: type[Spec]) -> list[str]:
    """Return the fields of a spec that were set on the command line."""
    sources = {one.name: context.get_parameter_source(one.name) for one in settings(spec)}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def _parameter(field: Setting) -> inspect.Parameter:
    kind, default, option = field.kind, field.default, typer.Option(help=field.help)
    if kind is bool and not default:
        option = typer.Option(flag(field.name), help=field.help)  # without the flag that says no to what is off anyway
    elif field.choices:
        option = typer.Option(help=field.help, metavar="|".join(field.choices))
    elif kind is Mapping:
        kind = list[str]
        option = typer.Option(help=field.help, metavar="KEY=NAME")
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default,
        annotation=Annotated[kind | None if field.optional else kind, option],
    )  # fmt: skip


def spec_from(spec: type[S], fields: Mapping[str, Any]) -> S:
    """Return the spec that the options of a command describe.

    Raises:
        LabsError: a value is not allowed, or a mapping is not given as KEY=NAME.
    """
    mappings = {one.name for one in settings(spec) if one.kind is Mapping}
    return spec(**{name: _pairs(name, value) if name in mappings else value for name, value in fields.items()})


def _pairs(field: str, given: list[str] | None) -> dict[str, str] | None:
    parts = [one.partition("=") for one in given or ()]
    for key, equals, name in parts:
        if not (key and name):
            raise LabsError(f"{flag(field)} {key}{equals}{name}: write a key, =, and a name")
    return {key: name for key, _, name in parts} or None
