"""What the role of build instances may read and pull."""

import json
from pathlib import Path

from tests.support.estates import synthesize

HOME = "eu-west-1"
ECR = f"arn:aws:ecr:{HOME}"
PARENTS = {
    # a registry without authentication
    "hub": ("nginx:1.29", None),
    "gallery": ("public.ecr.aws/docker/library/nginx:1.29", None),
    "team": (
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/base:v1",
        "arn:aws:ecr:us-east-1:123456789012:repository/team/base",
    ),
    "fips": (
        f"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/team/base@sha256:{'0a' * 32}",
        "arn:aws:ecr:us-east-1:123456789012:repository/team/base",
    ),
    # an ARN does not say in which repository
    "built": (f"arn:aws:imagebuilder:{HOME}:123456789012:image/base/1.x.x", f"{ECR}:123456789012:repository/*"),
    "managed": (f"arn:aws:imagebuilder:{HOME}:aws:image/amazon-linux-x86-latest/x.x.x", f"{ECR}:*:repository/*"),
}


def test_build_may_pull_its_parent_where_it_has_to_log_in(tmp_path: Path) -> None:
    images = "".join(
        f'  {name}: {{kind: container, parent: "{parent}", build: [update-os], regions: [{HOME}]}}\n'
        for name, (parent, _) in PARENTS.items()
    )
    (tmp_path / "estate.yaml").write_text(f"settings: {{namespace: boxes}}\nimages:\n{images}")
    stacks = synthesize(tmp_path, tmp_path / "cdktf.out")
    for name, (_, repository) in PARENTS.items():
        policy = json.loads(stacks[f"image-{name}"]["resource"]["aws_iam_role_policy"]["instance_policy"]["policy"])
        pulls = [each for each in policy["Statement"] if each["Sid"] == "PullParent"]
        assert [each["Resource"] for each in pulls] == ([repository] if repository else []), name
        assert all("ecr:PutImage" not in each["Action"] for each in pulls), name


def test_build_may_read_only_the_object_that_it_fetches(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(
        "{schemaVersion: 1.0, parameters: [{archive: {type: string}}], "
        "phases: [{name: build, steps: [{name: Install, action: ExecuteBash, "
        "inputs: {commands: ['curl {{ archive }}']}}]}]}"
    )
    app = '{use: app.yaml, with: {archive: "s3://acme-releases/app*/$v1.tar.gz"}}'
    image = f"{{os: amazon-linux-2023, build: [{app}], regions: [{HOME}]}}"
    (tmp_path / "estate.yaml").write_text(f"{{settings: {{namespace: acme}}, images: {{web: {image}}}}}")
    stacks = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")
    policy = stacks["image-web"]["resource"]["aws_iam_role_policy"]["instance_policy"]["policy"]
    # Terraform reads $${ as ${, and IAM ${*} and ${$} as the characters themselves
    statement = (
        '{"Effect":"Allow","Sid":"ReadConfiguredObjects","Action":"s3:GetObject",'
        '"Resource":["arn:aws:s3:::acme-releases/app$${*}/$${$}v1.tar.gz"]}'
    )
    assert statement in policy
