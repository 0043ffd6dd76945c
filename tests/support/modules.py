"""Several stacks as the modules of one Terraform configuration.

To start the provider and read its schema takes seconds, however much is declared: so many stacks cost little more
than one. What Terraform reports has the file of the module, which says which stack it is about.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts import terraform

Stacks = Mapping[str, Mapping[str, Any]]
"""The JSON of stacks by their names, which may have slashes."""


def write_modules(folder: Path, stacks: Stacks) -> None:
    """Write stacks below a folder as modules of a configuration whose root is there.

    A module has no backend. Providers move to the root; those that differ in tags only are one, with the tags of the
    first stack that has most of them.
    """
    providers: dict[str, dict[str, Any]] = {}
    modules: dict[str, dict[str, Any]] = {}
    for name, stack in stacks.items():
        passed = {}
        for provider in stack["provider"]["aws"]:
            inner = "aws" + (f".{provider['alias']}" if "alias" in provider else "")
            arguments = json.dumps({key: provider[key] for key in sorted(provider.keys() - {"alias", "default_tags"})})
            kept = providers.setdefault(arguments, {**provider, "alias": f"provider_{len(providers)}"})
            if len(_tags(provider)) > len(_tags(kept)):
                kept["default_tags"] = provider["default_tags"]
            passed[inner] = f"aws.{providers[arguments]['alias']}"
        modules[name.replace("/", "_").replace(".", "_")] = {"source": f"./{name}", "providers": passed}
        _write(folder / name / "cdk.tf.json", _module(stack, aliases=sorted(passed.keys() - {"aws"})))
    root = {
        "terraform": {"required_providers": {"aws": terraform.PROVIDER}},
        "provider": {"aws": list(providers.values())},
        "module": modules,
        # so that a plan has changes of outputs, too
        "output": {name: {"value": f"${{module.{name}}}"} for name in modules},
    }
    # for the providers that moved here; Terraform refuses an empty one
    if variables := {name: each for stack in stacks.values() for name, each in stack.get("variable", {}).items()}:
        root["variable"] = variables
    _write(folder / "main.tf.json", root)


def validate(stacks: Stacks, *, folder: Path, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """What Terraform reports of stacks, warnings included; the file that it names is below the name of the stack."""
    write_modules(folder, stacks)
    terraform.run("init", "-backend=false", folder=folder, environ=environ)
    try:
        output = terraform.run("validate", "-json", folder=folder, environ=environ)
    except terraform.TerraformError as error:
        output = str(error)
    diagnostics: list[dict[str, Any]] = json.loads(output[output.index("{") :])["diagnostics"]
    return diagnostics


def _tags(provider: Mapping[str, Any]) -> Mapping[str, str]:
    (default,) = provider.get("default_tags", [{}])
    tags: Mapping[str, str] = default.get("tags", {})
    return tags


def _module(stack: Mapping[str, Any], *, aliases: list[str]) -> dict[str, Any]:
    required = {**stack["terraform"]["required_providers"]["aws"], "configuration_aliases": aliases}
    kept = {key: value for key, value in stack.items() if key not in ("provider", "//")}
    return {**kept, "terraform": {"required_providers": {"aws": required}}}


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1))
