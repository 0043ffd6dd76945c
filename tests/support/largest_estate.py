"""The largest estate that the rules allow: the longest names, the fullest lists, texts of three bytes for each
character.

What excludes each other is spread over images: one is distributed to all regions, one to as many accounts as possible,
one is built from a disk image and exported as one, one is run by fleets of other accounts, and one is a container.
"""

import json
from pathlib import Path
from typing import Any

NAMESPACE = "longestnames"
REGIONS = [f"us-gov-north{letter}{other}x-1" for letter in "abcdef" for other in "abcdefg"][:40]
"""As long as regions may be, in the partition with the longest name."""
HOME = REGIONS[0]
ACCOUNT = "123456789012"
AMI, CONTAINER, SHARED, DISK, FAR = (
    f"{kind}-with-its-longest-name"[:23] for kind in ("ami", "box", "any", "vmdk", "far")
)
OTHERS = {f"account-of-longest-{number:04}": f"9{number:011}" for number in range(2)}
"""The IDs of the accounts of fleets elsewhere, by name."""

_TEXT = "あ"
_NAME = "x" * 85
_KEY = f"arn:aws-us-gov:kms:{{}}:{ACCOUNT}:key/mrk-{'0' * 32}"
_DISK_KEY = f"{'d' * 800}.vmdk"


def write(folder: Path) -> Path:
    """Writes the estate and its documents into a folder."""
    documents = {_named(f"component-{number:02}", 89): _component(number) for number in range(17)}
    for path, text in documents.items():
        _write(folder / path, text)
    for stage in ("build", "test", "distribution"):
        _write(folder / _named(stage), _workflow(stage))
    template = (
        "FROM {{{ imagebuilder:parentImage }}}\n{{{ imagebuilder:environments }}}\n{{{ imagebuilder:components }}}\n"
    )
    _write(folder / "Dockerfile", template + "#" + _TEXT * 6_500)
    (folder / "estate.yaml").write_text(json.dumps(_estate(list(documents)), ensure_ascii=False))
    return folder / "estate.yaml"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _named(name: str, longest: int = 90) -> str:
    """The path of a document whose name is as long as one may be."""
    return f"documents/{f'{name}-{_NAME}'[:longest]}.yml"


def _component(number: int) -> str:
    head = (
        f"description: {_TEXT * 341}\nschemaVersion: 1.0\n"
        "parameters:\n  - package: {type: string, default: none}\n"
        "phases:\n  - name: build\n    steps: [{name: A, action: Reboot}]\n"
    )
    most = 65_536 if number == 0 else 17_000 if number == 1 else 16_000
    return head + "#" + _TEXT * ((most - len(head.encode()) - 1) // 3)


def _workflow(stage: str) -> str:
    calls = {
        "build": ["{name: RunAll, action: ExecuteComponents, inputs: {instanceId: i-0}}"],
        "test": [
            "{name: RunAll, action: ExecuteComponents, inputs: {instanceId: i-0}}",
            "{name: Collect, action: CollectImageScanFindings, inputs: {instanceId: i-0}}",
            *(
                f"{{name: Ask{number}, action: WaitForAction, inputs: "
                f"{{snsTopicArn: 'arn:aws-us-gov:sns:{HOME}:{ACCOUNT}:{'t' * 140}{number}'}}}}"
                for number in range(13)
            ),
        ],
        "distribution": ["{name: Give, action: DistributeImage}"],
    }[stage]
    lines = "".join(f"  - {each}\n" for each in calls)
    outputs = "outputs: [{name: ImageId, value: $.stepOutputs.RunAll.status}]\n" if stage == "build" else ""
    head = f"description: {_TEXT * 341}\nschemaVersion: 1.0\nsteps:\n{lines}{outputs}"
    return head + "#" + _TEXT * 7_000


def _tags(prefix: str, count: int) -> dict[str, str]:
    return {f"{prefix}{number:02}".ljust(128, "k"): "v" * 256 for number in range(count)}


def _estate(components: list[str]) -> dict[str, Any]:
    managed = [f"arn:aws-us-gov:imagebuilder:{HOME}:aws:component/{'m' * 126}{number}/x.x.x" for number in range(2)]
    common: dict[str, Any] = {
        "description": _TEXT * 341,
        "version": "999999999.999999999",
        "schedule": {
            "cron": f"0 0 {','.join(['1'] * 500)} * ? *",
            "timezone": "America/Argentina/ComodRivadavia",
            "when": "always",
        },
        "channels": [f"channel-of-longest-{number:04}" for number in range(100)],
        "tags": _tags("image", 15),
        "notifications": {
            "emails": [f"{'e' * 100}{number}@{'a' * 130}.example.com" for number in range(100)],
            "topic_arns": [f"arn:aws-us-gov:sns:{HOME}:{ACCOUNT}:{'t' * 255}{number}" for number in range(4)],
            "no_new_image_for": "1000 years",
        },
        "image_scanning": {"image_scanning_enabled": True},
        "log_retention": "3653 days",
    }
    uses: list[Any] = [{"use": each, "with": {"package": "p" * 20}} for each in components]
    uses[0]["with"] = {"package": f"s3://{'b' * 63}/{'o' * 900}"}
    uses[1]["with"] = {"package": f"s3://{'b' * 63}/{'*' * 600}"}
    rules = {"last_launched": "365 days", "tag_map": _tags("keep", 48)}
    retention = {
        "keep_newest": 100,
        "deprecate_after": "30 days",
        "disable_after": "60 days",
        "delete_after": "1000 weeks",
    }
    distribution = {
        region: {
            "ami_name": f"{NAMESPACE}.{AMI}.{{{{ imagebuilder:buildDate }}}}".ljust(127, "x"),
            "kms_key_id": _KEY.format(region),
            "ami_tags": _tags("local", 17),
            "launch_templates": [{"launch_template_id": f"lt-{number:017x}"} for number in range(4)],
            "license_configuration_arns": [
                f"arn:aws-us-gov:license-manager:{region}:{ACCOUNT}:license-configuration:lic-{number:032x}"
                for number in range(3)
            ],
        }
        for region in REGIONS
    }
    distribution[HOME]["launch_templates"] = [{"launch_template_id": f"lt-{number:017x}"} for number in range(100)]
    distribution[HOME]["license_configuration_arns"] = [
        f"arn:aws-us-gov:license-manager:{HOME}:{ACCOUNT}:license-configuration:lic-{number:032x}"
        for number in range(50)
    ]
    return {
        "settings": {
            "namespace": NAMESPACE,
            "iam": {
                "path": f"/{'p' * 510}/",
                "permissions_boundary": "b" * 128,
            },
            "tags": _tags("settings", 14),
            "alarm_actions": [f"arn:aws-us-gov:sns:{HOME}:{ACCOUNT}:{'a' * 255}{number}" for number in range(4)],
            "dashboards": True,
            "accounts": {
                name: {"id": account, "role": f"{'p' * 510}/{'r' * 64}"}
                for name, account in {"images": ACCOUNT, **OTHERS}.items()
            },
        },
        "defaults": {"images": {"account": "images"}},
        "images": {
            AMI: {
                **common,
                "os": "ubuntu-server-24.04",
                "parent": f"ssm:/aws/service/{'p' * 870}",
                "build": [*uses, *managed],
                "test": ["boots"],
                "regions": REGIONS,
                "distribution": distribution,
                "target_accounts": _accounts(21),
                "root_volume": {"volume_size": 16_000, "volume_type": "io2", "iops": 10_000},
                "infrastructure": {
                    "subnet_id": "subnet-0123456789abcdef0",
                    "security_group_ids": [f"sg-{number:017x}" for number in range(16)],
                    "key_pair": "k" * 255,
                    "placement": {"tenancy": "host", "host_id": "h-0123456789abcdef0"},
                },
                "retention": {**retention, "exclusion_rules": rules},
                "workflows": {
                    "build": {"use": _named("build")},
                    "test": [{"use": _named("test"), "parallel_group": "g" * 100}],
                    "distribution": _named("distribution"),
                },
            },
            SHARED: {
                **common,
                "os": "windows-server-2025-core",
                "build": ["update-os"],
                "regions": REGIONS[:2],
                "distribution": {
                    region: {"kms_key_id": _KEY.format(region), "fast_launch": {"launch_template_id": "lt-" + "0" * 17}}
                    for region in REGIONS[:2]
                },
                "launch_permission": {
                    "accounts": _accounts(1536),
                    "organizations": [
                        f"arn:aws-us-gov:organizations::{ACCOUNT}:organization/o-{number:032x}" for number in range(25)
                    ],
                    "organizational_units": [
                        f"arn:aws-us-gov:organizations::{ACCOUNT}:ou/o-{'0' * 32}/ou-{'0' * 32}-{number:032x}"
                        for number in range(25)
                    ],
                },
                "target_accounts": _accounts(1535),
                "retention": {**retention, "exclusion_rules": {**rules, "shared_accounts": _accounts(1536)}},
                "workflows": {
                    "build": f"arn:aws-us-gov:imagebuilder:{HOME}:aws:workflow/build/build-image/x.x.x",
                },
            },
            DISK: {
                **common,
                "os": "ubuntu-server-24.04",
                "parent": {
                    "disk_image": f"s3://{'b' * 63}/{_DISK_KEY}",
                    "format": "VMDK",
                    "boot_mode": "uefi-preferred",
                },
                "build": ["update-os"],
                "regions": [HOME],
                "root_volume": {"encrypted": False, "volume_size": 1024},
                "export": {"disk_image_format": "VMDK", "s3_prefix": "f" * 900, "retention": "3653 days"},
                "workflows": {"distribution": _named("distribution")},
            },
            FAR: {
                **common,
                "os": "ubuntu-server-24.04",
                "build": ["update-os"],
                "regions": REGIONS[:2],
                "launch_permission": {"accounts": _accounts(60)},
                "target_accounts": _accounts(100),
            },
            CONTAINER: {
                **common,
                "kind": "container",
                "parent": f"{ACCOUNT}.dkr.ecr.{HOME}.amazonaws.com/{'r' * 255}:{'t' * 128}@sha256:{'0' * 64}",
                "dockerfile": "Dockerfile",
                "build": components,
                "regions": REGIONS,
                "working_directory": "/" + "w" * 1023,
                "repository": {"kms_keys": {region: _KEY.format(region) for region in REGIONS}},
                "instance": {"image": f"ssm:/aws/service/{'i' * 870}", "root_volume": {"volume_size": 16_000}},
                "retention": {"keep_newest": 100, "delete_after": "1000 years"},
                "workflows": {"build": _named("build")},
            },
        },
        "fleets": {
            "fleet-with-longest-name": {
                "image": AMI,
                "channel": "channel-of-longest-0099",
                "region": REGIONS[-1],
                "instance_type": "m7i.metal-48xl",
                "subnets": {"tags": _tags("subnet", 5)},
                "security_group_ids": [f"sg-{number:017x}" for number in range(16)],
                "capacity": {"min": 1, "max": 100_000},
                "target_group_arns": [
                    f"arn:aws-us-gov:elasticloadbalancing:{REGIONS[-1]}:{ACCOUNT}:targetgroup/{'g' * 32}/{number:016x}"
                    for number in range(50)
                ],
                "user_data": _TEXT * 5461,
                "root_volume": {"volume_size": 16_384, "kms_key_id": _KEY.format(REGIONS[-1])},
                "tags": _tags("fleet", 33),
            },
            # with a security group of its own
            "another-of-longest-name": {
                "image": AMI,
                "channel": "latest",
                "region": HOME,
                "instance_type": "t3.small",
                "subnets": {"tags": _tags("subnet", 5)},
                "capacity": {"min": 1, "max": 1},
            },
            **{
                f"far-{name[-4:]}-of-longest-name"[:23]: {
                    "image": FAR,
                    "account": name,
                    "channel": "latest",
                    "region": REGIONS[1],
                    "instance_type": "t3.small",
                    "subnets": ["subnet-0123456789abcdef0"],
                    "capacity": {"min": 1, "max": 1},
                }
                for name in OTHERS
            },
        },
    }


def _accounts(count: int) -> list[str]:
    return [f"{number:012}" for number in range(count)]
