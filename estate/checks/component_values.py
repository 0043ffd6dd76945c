"""Whether the values that an image gives to a component's parameters fit its document."""

import re
from collections.abc import Iterator

from estate.component_documents.document import Document
from estate.models.ami_image import ComponentUse
from estate.problems import Key, Problem, did_you_mean, shown


def problems_of(use: ComponentUse, document: Document, place: Key) -> Iterator[Problem]:
    """Unknown parameters, values that do not fit, and parameters that need one. `place` is the component's."""
    for name, value in use.with_.items():
        key: Key = (*place, "with", name)
        parameter = document.parameters.get(name)
        if parameter is None:
            remedy = did_you_mean(name, document.parameters) if document.parameters else "delete it: there are none"
            yield Problem(key, f"{use.use} has no such parameter", shown(name), remedy)
        elif not parameter.takes(value):
            yield Problem(key, f"must be {parameter.kind}", shown(value))
        elif parameter.quoted and "'" in value:
            rule = f"{use.use} has it between single quotes in a script, so it cannot have one"
            yield Problem(key, rule, shown(value), "write it without")
        elif parameter.in_here_string and re.search("^'@", value, re.MULTILINE):
            rule = f"{use.use} has it in a here-string of a script, so no line of it can begin with '@"
            yield Problem(key, rule, shown(value), 'write @" and "@ around that text')
    for name, parameter in document.parameters.items():
        if parameter.default is None and name not in use.with_:
            yield Problem(
                place,
                f"{use.use} needs a value for {name}",
                remedy=f"write {{use: {use.use}, with: {{{name}: …}}}}",
            )
