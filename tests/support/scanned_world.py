"""An image whose builds Amazon Inspector scans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambda_src.handoff.configuration import Gate
from local_aws.server import LocalAws
from tests.support.handoff_world import HOME, ImageWorld


class ScannedWorld(ImageWorld):
    """An image whose builds are scanned, with a gate."""

    def __init__(self, local_aws: LocalAws) -> None:
        super().__init__(local_aws)
        local_aws.client("inspector2", region=HOME).enable(resourceTypes=["EC2", "ECR"])
        scanning: Any = {"imageScanningEnabled": True}
        self.other_imagebuilder.update_image_pipeline(
            **self.pipeline,
            imageRecipeArn=self.other_imagebuilder.get_image_pipeline(imagePipelineArn=self.image.pipeline_arn)[
                "imagePipeline"
            ]["imageRecipeArn"],
            imageScanningConfiguration=scanning,
        )
        self.limit("high")

    def limit(self, severity: str, **exempt: str) -> None:
        """Set the worst severity that may pass; `exempt` are vulnerabilities, with the last day."""
        named = {name.replace("_", "-"): until for name, until in exempt.items()}
        self.image = replace(self.image, gate=Gate(max_severity=severity, exempt=named))

    def scanned(self, *findings: Mapping[str, str], status: str = "COMPLETED", reason: str = "") -> str:
        """A build whose scan goes so; its ARN."""
        self.aws.scan_next_build(self.image.pipeline_arn, findings=findings, status=status, reason=reason)
        return self.build()
