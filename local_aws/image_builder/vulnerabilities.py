"""What Inspector finds: vulnerable versions of packages, in the form of ListImageScanFindings.

Inspector knows all published vulnerabilities. Here are a few of them, enough to have one of each severity: an image has
a finding if a package is older than the version that fixes it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

_SCORES = {"CRITICAL": 9.8, "HIGH": 7.5, "MEDIUM": 5.5, "LOW": 3.3, "INFORMATIONAL": 0.0, "UNTRIAGED": 0.0}
"""By Inspector's severities ("Severity levels for Amazon Inspector findings"): a score of that severity."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A vulnerability of a package. Raises ValueError for a severity that Inspector does not have."""

    severity: str
    vulnerability: str = "CVE-2026-10001"
    """Its ID."""
    package: str = "openssl"
    version: str = "1.0.0"
    """The version that the image has."""
    fixed: str = ""
    """The version that fixes it; empty if there is none."""

    def __post_init__(self) -> None:
        if self.severity not in _SCORES:
            raise ValueError(f"a severity is one of {', '.join(_SCORES)}, got {self.severity!r}")

    def described(self, image: Mapping[str, Any], *, at: str) -> dict[str, Any]:
        """The finding in the API's form, with the members of the example in the AWS CLI's documentation."""
        score = _SCORES[self.severity]
        package = {
            "name": self.package,
            "version": self.version,
            "epoch": 0,
            "packageManager": "OS",
            "fixedInVersion": self.fixed or "NotAvailable",
            "remediation": f"Update {self.package}." if self.fixed else None,
        }
        return {
            "awsAccountId": image["owner"],
            "imageBuildVersionArn": image["arn"],
            "imagePipelineArn": image["sourcePipelineArn"],
            "type": "PACKAGE_VULNERABILITY",
            "title": f"{self.vulnerability} - {self.package}",
            "description": f"{self.package} {self.version} is vulnerable.",
            "remediation": {"recommendation": {"text": "None Provided"}},
            "severity": self.severity,
            "firstObservedAt": at,
            "updatedAt": at,
            "inspectorScore": score,
            "packageVulnerabilityDetails": {
                "vulnerabilityId": self.vulnerability,
                "vulnerablePackages": [package],
                "source": "NVD",
                "sourceUrl": f"https://nvd.nist.gov/vuln/detail/{self.vulnerability}",
                "relatedVulnerabilities": [],
            },
            "fixAvailable": "YES" if self.fixed else "NO",
        }


KNOWN = tuple(
    Finding(vulnerability=vulnerability, severity=severity, package=package, fixed=fixed)
    for vulnerability, severity, package, fixed in (
        ("CVE-2021-44228", "CRITICAL", "log4j", "2.15.0"),
        ("CVE-2023-38545", "CRITICAL", "curl", "8.4.0"),
        ("CVE-2021-3156", "HIGH", "sudo", "1.9.5"),
        ("CVE-2021-23017", "HIGH", "nginx", "1.20.1"),
        ("CVE-2022-0778", "HIGH", "openssl", "3.0.2"),
        ("CVE-2023-48795", "MEDIUM", "openssh", "9.6"),
        ("CVE-2022-48303", "MEDIUM", "tar", "1.35"),
        ("CVE-2023-4016", "LOW", "procps-ng", "4.0.4"),
    )
)
"""The vulnerabilities that are found; their `version` means nothing."""


def newest_version(package: str) -> str:
    """The version that a repository has of a package: one without known vulnerabilities."""
    return max((known.fixed for known in KNOWN if known.package == package), key=_order, default="1.0.0")


def vulnerable(packages: Mapping[str, str]) -> Iterator[Finding]:
    """What is found in these packages, versions by name."""
    for known in KNOWN:
        version = packages.get(known.package)
        if version and _order(version) < _order(known.fixed):
            yield replace(known, version=version)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
