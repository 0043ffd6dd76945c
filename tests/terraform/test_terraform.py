"""The real Terraform and the real AWS provider on what is synthesized: the examples, and the largest estate."""

from collections.abc import Mapping
from typing import Any

import pytest

from estate.models.providers import Providers
from tests.support.estates import ESTATES, synthesize
from tests.support.largest_estate import write
from tests.support.modules import validate

Diagnostics = list[dict[str, Any]]


@pytest.fixture(scope="module")
def diagnostics(
    shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Diagnostics]:
    """What `terraform validate` says of each estate, warnings included. All are validated at once."""
    folder = tmp_path_factory.mktemp("validate")
    (folder / "largest").mkdir()
    estates = {**ESTATES, "largest": write(folder / "largest")}
    stacks = {
        f"{estate}/{name}": _for_provider_5(stack) if estate == "provider-6" else stack
        for estate, config in estates.items()
        for name, stack in synthesize(config, folder / "cdktf.out" / estate).items()
    }
    assert {stack["terraform"]["required_providers"]["aws"]["version"] for stack in stacks.values()} == {
        Providers().aws_constraint
    }
    found: dict[str, Diagnostics] = {estate: [] for estate in ("", *estates)}
    for diagnostic in validate(stacks, folder=folder / "modules", environ=shared_providers_environment):
        estate, _, _ = diagnostic.get("range", {}).get("filename", "").partition("/")
        found[estate if estate in estates else ""].append(diagnostic)
    return found


@pytest.mark.parametrize("estate", [*ESTATES, "largest"])
def test_provider_accepts_every_stack(estate: str, diagnostics: Mapping[str, Diagnostics]) -> None:
    assert diagnostics[estate] == []
    assert diagnostics[""] == [], "of the providers, or of nothing in particular"


def _for_provider_5(stack: dict[str, Any]) -> dict[str, Any]:
    """Without the one block that provider 5, with which the tests run, does not know."""
    stack["terraform"]["required_providers"]["aws"]["version"] = Providers().aws_constraint
    for pipeline in stack["resource"].get("aws_imagebuilder_image_pipeline", {}).values():
        assert pipeline.pop("logging_configuration").keys() == {"image_log_group_name", "pipeline_log_group_name"}
    return stack
