"""What `goldsmith doctor --parent` prints, against the local AWS, which has one or two AMIs of every system.

ministack takes an access key of twelve digits for an account, so publishers can have more AMIs there. Where AWS might
answer differently, a stand-in answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from estate.catalogue.operating_systems import CATALOGUE, Published
from estate.load import load
from local_aws.server import LocalAws
from tests.support.broken_estates import smallest
from tests.support.ops_world import Answer, answering, only, refusing, run_ops

RED_HAT, CENTOS = "309956199498", "125523088429"
REGION = "ap-southeast-2"
Run = Callable[..., Answer]


@pytest.fixture
def run(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    only(local_aws.environment() | {"AWS_MAX_ATTEMPTS": "1"}, monkeypatch)
    return lambda *arguments: run_ops(["doctor", "--parent", *arguments], capsys)


def publish(aws: LocalAws, name: str, *, account: str, date: str, architecture: str = "x86_64") -> str:
    """An AMI of an account that all may use, made on that day."""
    session = boto3.Session(aws_access_key_id=account, aws_secret_access_key="test", region_name=REGION)
    ec2: Any = session.client("ec2", endpoint_url=aws.environment()["AWS_ENDPOINT_URL"])
    ami: str = ec2.register_image(Name=name, Architecture=architecture, RootDeviceName="/dev/sda1")["ImageId"]
    ec2.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"Group": "all"}]})
    aws.date_ami(ami, f"{date}T10:00:00.000Z")
    return ami


def test_finds_the_newest_version_of_a_managed_image(local_aws: LocalAws, run: Run) -> None:
    arguments = ("amazon-linux-2023", "--region", REGION, "--architecture", "arm64")
    words = run(*arguments).out.splitlines()
    answer = json.loads(run(*arguments, "--json").out)
    managed = f"arn:aws:imagebuilder:{REGION}:aws:image/amazon-linux-2023-arm64"
    assert words == [
        f"Amazon Linux 2023 for arm64 in {REGION}: amazon-linux-2023-arm64 2026.1.14/1, of 2026-01-12",
        "without parent, os: amazon-linux-2023 takes the newest at each build; to keep this one, write in the image",
        f"parent: {managed}/2026.1.14/1",
    ]
    assert (answer["kind"], answer["reference"]) == ("managed image", f"{managed}/x.x.x")
    (ami,) = local_aws.client("ec2", region=REGION).describe_images(ImageIds=[answer["ami"]])["Images"]
    assert (ami["Architecture"], ami["ImageOwnerAlias"]) == ("arm64", "amazon")


def test_finds_the_ami_of_a_public_parameter(local_aws: LocalAws, run: Run) -> None:
    name = "ubuntu/images/hvm-ssd/ubuntu-focal-20.04-amd64-server-20250603"
    (ami,) = local_aws.client("ec2", region=REGION).describe_images(Filters=[{"Name": "name", "Values": [name]}])[
        "Images"
    ]
    assert run("ubuntu-server-20.04", "--region", REGION).out.splitlines() == [
        f"Ubuntu Server 20.04 LTS for x86_64 in {REGION}: {name}, of 2025-06-03",
        "without parent, os: ubuntu-server-20.04 takes the newest at each build; to keep this one, write in the image",
        f"parent: {ami['ImageId']}",
    ]


def test_prints_what_is_known_when_aws_does_not_name_the_ami(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS need not return the AMI of a managed image, and the AMI of a parameter may have been deregistered."""
    arn = f"arn:aws:imagebuilder:{REGION}:aws:image/amazon-linux-2023-x86/2026.11.10/1"
    image = {"arn": arn, "version": "2026.11.10/1", "dateCreated": "2026-11-10T03:04:05.678Z"}
    ami = "ami-0123456789abcdef0"
    answers = {
        "GetImage": json.dumps({"image": image}),
        "GetParameter": json.dumps({"Parameter": {"Value": ami}}),
        "DescribeImages": "<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>",
    }
    with answering(answers) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        managed = json.loads(run("amazon-linux-2023", "--region", REGION, "--json").out)
        words = run("ubuntu-server-20.04", "--region", REGION).out.splitlines()
    assert (managed["ami"], managed["parent"]) == (None, arn)
    assert (words[0], words[-1]) == (f"Ubuntu Server 20.04 LTS for x86_64 in {REGION}: {ami}", f"parent: {ami}")


def test_finds_the_newest_ami_of_a_publisher_and_the_line_to_write(local_aws: LocalAws, run: Run) -> None:
    publish(local_aws, "CentOS Linux 7 x86_64 - 2009", account=CENTOS, date="2020-11-12")
    ami = publish(local_aws, "CentOS Linux 7 x86_64 - 2311", account=CENTOS, date="2023-11-03")
    arm = publish(local_aws, "CentOS Linux 7 aarch64 - 2311", account=CENTOS, date="2023-11-04", architecture="arm64")
    publish(local_aws, "CentOS Linux 7 x86_64 - forged", account="000000000000", date="2026-01-01")
    publish(local_aws, "CentOS Stream 9 x86_64 20260101", account=CENTOS, date="2026-01-01")

    answer = run("centos-7", "--region", REGION)
    assert answer.out.splitlines() == [
        f"CentOS Linux 7 for x86_64 in {REGION}: CentOS Linux 7 x86_64 - 2311, of 2023-11-03",
        "AWS cannot look up the newest one at each build, so write in the image, next to os: centos-7",
        f"parent: {ami}",
    ]
    assert (answer.err, answer.status) == ("", 0)
    assert run("centos-7", "--region", REGION, "--architecture", "arm64").out.endswith(f"parent: {arm}\n")


def test_a_lower_version_that_was_rebuilt_later_is_not_newer(local_aws: LocalAws, run: Run) -> None:
    """Red Hat does so for those who stay with a minor version; betas and other licenses are not for everybody."""
    newest = publish(local_aws, "RHEL-9.10.0_HVM_GA-20260728-x86_64-0-Hourly2-GP3", account=RED_HAT, date="2026-07-29")
    for name in (
        "9.9.0_HVM-20260727-x86_64-0-Hourly2",
        "9.6.0_HVM-20260811-x86_64-0-Hourly2",
        "9.11.0_HVM_BETA-20260901-x86_64-0-Hourly2",
        "9.11_HVM-Access2",
    ):
        publish(local_aws, f"RHEL-{name}-GP3", account=RED_HAT, date="2026-09-02")
    assert run("red-hat-enterprise-linux-9", "--region", REGION).out.endswith(f"parent: {newest}\n")


def test_answers_a_program_in_one_object(run: Run) -> None:
    answer = json.loads(run("centos-8", "--region", REGION, "--json").out)
    ami = answer["ami"]
    assert answer == {
        "os": "centos-8",
        "region": REGION,
        "architecture": "x86_64",
        "kind": "published AMI",
        "reference": None,
        "name": "CentOS 8.4.2105 x86_64",
        "created": "2021-06-03T04:05:06.000Z",
        "ami": ami,
        "parent": ami,
    }
    assert ami.startswith("ami-")


def test_what_it_finds_can_be_written(run: Run, tmp_path: Path) -> None:
    line = run("centos-stream-9", "--region", REGION).out.splitlines()[-1]
    file = tmp_path / "estate.yaml"
    file.write_text(smallest("image", f"os: centos-stream-9\n{line}\n"))
    assert line == f"parent: {load(file).images['web'].parent}"


@pytest.mark.parametrize("name", ["centos-7", "centos-8", "red-hat-enterprise-linux-7", "windows-server-2012-core"])
def test_says_so_when_the_publisher_has_none(name: str, run: Run) -> None:
    """mx-central-1 opened when support had ended."""
    region = "mx-central-1"
    answer = run(name, "--region", region)
    source = CATALOGUE[name].parents["x86_64"]
    assert isinstance(source, Published)
    assert answer.err == (
        f"account {source.owners['aws']} has no AMI of {CATALOGUE[name].title} for x86_64 in {region} whose name is "
        f"like {' or '.join(source.names)}: set parent to an AMI ID of your own\n"
    )
    assert (answer.out, answer.status) == ("", 1)


def test_says_so_when_nobody_publishes_it_in_a_partition(run: Run) -> None:
    answer = run("centos-8", "--region", "cn-north-1")
    words = "no known account publishes CentOS Linux 8 in cn-north-1: set parent to an AMI ID of your own\n"
    assert (answer.out, answer.err, answer.status) == ("", words, 1)


def test_says_so_when_there_is_no_such_parameter(run: Run) -> None:
    answer = run("suse-linux-enterprise-server-12", "--region", "mx-central-1")
    assert answer.err == (
        "mx-central-1 has no public parameter /aws/service/suse/sles/12-sp5/x86_64/latest: "
        "set parent to an AMI ID of your own\n"
    )
    assert answer.status == 1


def test_names_that_the_catalogue_does_not_have_are_reported(run: Run) -> None:
    answer = run("centos-77", "--region", REGION)
    assert (answer.err, answer.status) == ("unknown operating system 'centos-77'; did you mean 'centos-7'?\n", 2)
    answer = run("windows-server-2022-core", "--region", REGION, "--architecture", "arm64")
    assert (answer.err, answer.status) == ("windows-server-2022-core does not exist for arm64; write x86_64\n", 2)


def test_refusals_of_aws_are_reported_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing("AccessDeniedException", "not you") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        answer = run("amazon-linux-2023", "--region", REGION)
    assert answer.err == f"AWS does not allow GetImage in {REGION}: not you; ask for this permission\n"
    assert answer.status == 1
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    answer = run("centos-7", "--region", REGION)
    words = "there are no AWS credentials: log in (aws sso login, aws configure) or set AWS_PROFILE\n"
    assert (answer.err, answer.status) == (words, 1)
