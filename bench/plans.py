"""Measures the plans of many stacks, by `goldsmith plan` and by `cdktf plan` stack by stack, on a local AWS.

Both plan the same estate, which nobody has applied: images and fleets, whose channels have builds.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.processes import PROJECT, Program, Run, measure
from local_aws.server import LocalAws
from scripts import terraform

GOLDSMITH = "goldsmith plan"
CDKTF = "cdktf plan, stack by stack"
_REGION = "eu-west-1"
_IMAGE = "{os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}"
_FLEET = """{channel: latest, region: eu-west-1, instance_type: t3.micro, subnets: [subnet-0a1b2c3d],
    security_group_ids: [sg-0a1b2c3d], instance_profile_arn: "arn:aws:iam::000000000000:instance-profile/web",
    capacity: {min: 1, max: 1}, image: """


def measure_plans(stacks: int, *, rounds: int) -> dict[str, Run]:
    """Of half as many images, and their fleets."""
    with tempfile.TemporaryDirectory() as folder, LocalAws() as aws:
        config = Path(folder) / "config"
        config.mkdir()
        names = [f"web-{number}" for number in range(stacks // 2)]
        (config / "estate.yaml").write_text("\n".join(_estate(names)))
        _fill_channels(aws, names)
        environ = terraform.environment(aws.environment(), folder=Path(folder))
        planned = [*(f"image-{name}" for name in names), *(f"fleet-{name}-dev" for name in names)]
        # `measure` keeps none of the variables that would change a synthesis
        places = {"GOLDSMITH_CONFIG": config, "CI": "1"}
        cdktf = PROJECT / "node_modules" / ".bin" / "cdktf"
        one_by_one = 'for stack; do "$CDKTF" plan "$stack" --output "$CDKTF_OUTDIR" || exit 1; done'
        programs = {
            GOLDSMITH: Program(
                command=[PROJECT / "goldsmith", "plan", *planned],
                environ={**environ, **places, "CDKTF_OUTDIR": "{new}/cdktf.out"},
            ),
            CDKTF: Program(
                command=["sh", "-c", one_by_one, "sh", *planned],
                environ={**environ, **places, "CDKTF": cdktf, "CDKTF_OUTDIR": "{new}/cdktf.out"},
            ),
        }
        return measure(programs, rounds=rounds)


def _estate(names: list[str]) -> Iterator[str]:
    yield "settings: {namespace: bench}\nimages:"
    yield from (f"  {name}: {_IMAGE}" for name in names)
    yield "fleets:"
    yield from (f"  {name}-dev: {_FLEET}{name}}}" for name in names)


def _fill_channels(aws: LocalAws, names: list[str]) -> None:
    """A build in the channel of each image."""
    ec2, ssm = aws.client("ec2", region=_REGION), aws.client("ssm", region=_REGION)
    for name in names:
        build = f"arn:aws:imagebuilder:{_REGION}:000000000000:image/bench-{name}/1.0.1/1"
        tag = {"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": build}]}
        ami = ec2.register_image(
            Name=f"bench.{name}.1", Architecture="x86_64", RootDeviceName="/dev/xvda", TagSpecifications=[tag]
        )["ImageId"]
        ssm.put_parameter(Name=f"/imagebuilder/bench/{name}/latest", Value=ami, Type="String")
