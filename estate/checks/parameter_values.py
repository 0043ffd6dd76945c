"""Rules of the values that an image gives to the parameters of a component or workflow."""

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

from estate.models.ami_image import ComponentUse
from estate.models.workflows import WorkflowUse
from estate.problems import Key, Problem, did_you_mean, shown


class Parameter(Protocol):
    """A parameter of a component or workflow document."""

    @property
    def default(self) -> object | None:
        """Its value where an image gives none; None if one must."""

    @property
    def kind(self) -> str:
        """What it takes, in words."""

    def takes(self, value: str) -> bool:
        """Whether a value is of that kind."""


AnyParameter = TypeVar("AnyParameter", bound=Parameter)


def problems_of(use: ComponentUse | WorkflowUse, parameters: Mapping[str, Parameter], key: Key) -> Iterator[Problem]:
    """Unknown parameters, values that do not fit, and parameters that need one; `key` is where `use` stands."""
    for name, value in use.with_.items():
        parameter = parameters.get(name)
        if parameter is None:
            remedy = did_you_mean(name, parameters) if parameters else "delete it: there are no parameters"
            yield Problem((*key, "with", name), f"{use.use} has no such parameter", shown(name), remedy)
        elif not parameter.takes(value):
            yield Problem((*key, "with", name), f"must be {parameter.kind}", shown(value))
    for name, parameter in parameters.items():
        if parameter.default is None and name not in use.with_:
            remedy = f"write {{use: {use.use}, with: {{{name}: …}}}}"
            yield Problem(key, f"{use.use} needs a value for {name}", remedy=remedy)


def taken(
    use: ComponentUse | WorkflowUse, parameters: Mapping[str, AnyParameter]
) -> Iterator[tuple[str, str, AnyParameter]]:
    """The values in which `problems_of` finds nothing wrong: name, value, parameter."""
    for name, value in use.with_.items():
        parameter = parameters.get(name)
        if parameter and parameter.takes(value):
            yield name, value, parameter
