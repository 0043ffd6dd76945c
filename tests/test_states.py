"""Where Terraform's state lies, by whose credentials it is reached, and that no estate takes another's for its own.

Terraform is the real one; of the stacks only backend and marker are kept, so that it needs no provider.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local_aws import terraform
from local_aws.server import LocalAws
from tests.estates import PROJECT, synthesize

IMAGE = "images: {web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}}\n"
FLEET = """\
fleets:
  web-dev:
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    capacity: {min: 1, max: 1}
    provider: {profile: workloads}
"""
ROLE = "arn:aws:iam::000000000000:role/"


def stacks_of(folder: Path, settings: str) -> dict[str, dict[str, Any]]:
    """What an image and a fleet with a provider of its own become under these settings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "estate.yaml").write_text(f"settings: {settings}\n{IMAGE}{FLEET}")
    return synthesize(folder / "estate.yaml", folder / "cdktf.out")


def stateful(folder: Path, settings: str) -> Path:
    """The folder of the image's stack, reduced to what needs no provider."""
    stack = stacks_of(folder, settings)["image-web"]
    kept = {
        "terraform": {"backend": stack["terraform"]["backend"]},
        "resource": {"terraform_data": stack["resource"]["terraform_data"]},
    }
    place = folder / "cdktf.out" / "stacks" / "image-web"
    (place / "cdk.tf.json").write_text(json.dumps(kept))
    return place


def upgrade_steps(backend_option: str) -> str:
    """The commands of the changelog that move a state, with which option they name it by."""
    blocks = re.findall(r"(?:^ {6}.*\n)+", (PROJECT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    found: str
    (found,) = (block for block in blocks if f"-backend-config={backend_option}=" in block)
    return found


@pytest.fixture
def environ(terraform_environment: Mapping[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    yield {**terraform_environment, "HOME": str(tmp_path)}


# --- Where it lies


def test_two_estates_of_one_backend_share_no_state(tmp_path: Path) -> None:
    for backend in ("{local: {}}", "{s3: {bucket: states, region: eu-west-1}}"):
        keys = {
            next(iter(stack["terraform"]["backend"].values())).get(key)
            for namespace in ("acme", "shop")
            for stack in stacks_of(tmp_path, f"{{namespace: {namespace}, backend: {backend}}}").values()
            for key in ("path", "key")
        }
        prefix = "../../../state" if "local" in backend else "goldsmith"
        assert keys - {None} == {
            f"{prefix}/{namespace}/{stack}.eu-west-1.tfstate"
            for namespace in ("acme", "shop")
            for stack in ("image-web", "fleet-web-dev")
        }


@pytest.mark.parametrize(
    ("backend", "provider", "expected"),
    [
        ("", "", {}),
        ("", f"profile: tools, assume_role: {{role_arn: {ROLE}tf}}", {"profile": "tools", "assume_role": "tf"}),
        ("profile: states", "profile: tools", {"profile": "states"}),
        (f"assume_role: {{role_arn: {ROLE}states}}", "profile: tools", {"profile": "tools", "assume_role": "states"}),
        ("assume_role: none", f"profile: tools, assume_role: {{role_arn: {ROLE}tf}}", {"profile": "tools"}),
        ("profile: none, assume_role: none", f"profile: tools, assume_role: {{role_arn: {ROLE}tf}}", {}),
    ],
)
def test_the_bucket_is_reached_as_aws_is_unless_the_backend_says_otherwise(
    backend: str, provider: str, expected: dict[str, str], tmp_path: Path
) -> None:
    s3 = f"{{bucket: states, region: eu-west-1, {backend}}}"
    settings = f"{{namespace: acme, backend: {{s3: {s3}}}, provider: {{{provider}}}}}"
    for stack in stacks_of(tmp_path, settings).values():
        found = stack["terraform"]["backend"]["s3"]
        role = found.get("assume_role", {}).get("role_arn", "").removeprefix(ROLE)
        access = {"profile": found.get("profile"), "assume_role": role}
        assert {key: value for key, value in access.items() if value} == expected


def test_terraform_reaches_the_bucket_by_profile_and_role(
    local_aws: LocalAws, environ: dict[str, str], tmp_path: Path
) -> None:
    s3 = local_aws.client("s3", region="eu-west-1")
    s3.create_bucket(Bucket="states-by-role", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    role = f"{{role_arn: {ROLE}states, external_id: acme, session_name: goldsmith}}"
    backend = f"{{s3: {{bucket: states-by-role, region: eu-west-1, profile: states, assume_role: {role}}}}}"
    folder = stateful(tmp_path, f"{{namespace: acme, backend: {backend}}}")
    # no credentials but the profile's
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environ.pop(name)
    profiles = tmp_path / "profiles"
    profiles.write_text("[profile states]\naws_access_key_id = test\naws_secret_access_key = test\n")
    environ["AWS_CONFIG_FILE"] = str(profiles)
    terraform.run("init", folder=folder, environ=environ)
    terraform.run("apply", "-auto-approve", folder=folder, environ=environ)
    (state,) = s3.list_objects_v2(Bucket="states-by-role")["Contents"]
    assert state["Key"] == "goldsmith/acme/image-web.eu-west-1.tfstate"


# --- Whose it is


def test_a_state_of_another_estate_is_refused_and_can_be_destroyed(environ: dict[str, str], tmp_path: Path) -> None:
    acme = stateful(tmp_path, "{namespace: acme}")
    terraform.run("init", folder=acme, environ=environ)
    terraform.run("apply", "-auto-approve", folder=acme, environ=environ)
    terraform.run("plan", "-detailed-exitcode", folder=acme, environ=environ)

    # by whatever mistake, the other estate's stack has this state: here, the backend is overridden
    shop = stateful(tmp_path / "shop", "{namespace: shop}")
    state = f"-backend-config=path={tmp_path}/state/acme/image-web.eu-west-1.tfstate"
    terraform.run("init", state, folder=shop, environ=environ)
    with pytest.raises(terraform.TerraformError) as refused:
        terraform.run("plan", "-no-color", folder=shop, environ=environ)
    assert " ".join(str(refused.value).split()).endswith(
        "The state of image-web belongs to the estate acme, not to shop: this plan would replace what acme has in AWS. "
        "Give shop a state of its own (another backend, folder or key prefix). If acme was renamed to shop: destroy "
        "the stack under the old name first."
    )
    with pytest.raises(terraform.TerraformError):
        terraform.run("apply", "-auto-approve", folder=shop, environ=environ)

    assert "1 to destroy" in terraform.run("plan", "-destroy", folder=shop, environ=environ)
    assert "1 destroyed" in terraform.run("destroy", "-auto-approve", folder=shop, environ=environ)


# --- From the old place to the new one


def test_the_changelogs_commands_move_a_local_state(environ: dict[str, str], tmp_path: Path) -> None:
    folder = stateful(tmp_path, "{namespace: acme}")
    before_namespaces(folder, environ)
    shutil.rmtree(folder / ".terraform")  # as in a fresh checkout

    subprocess.run(["bash", "-ec", upgrade_steps("path")], cwd=tmp_path, env=environ, check=True, capture_output=True)
    terraform.run("init", folder=folder, environ=environ)  # as every `make plan` does
    assert "1 to add, 0 to change, 0 to destroy" in terraform.run("plan", folder=folder, environ=environ)
    assert "terraform_data.older" in terraform.run("state", "list", folder=folder, environ=environ)
    state = json.loads((tmp_path / "state" / "acme" / "image-web.eu-west-1.tfstate").read_text())
    assert [resource["name"] for resource in state["resources"]] == ["older"]


def test_the_changelogs_commands_move_a_state_in_s3(
    local_aws: LocalAws, environ: dict[str, str], tmp_path: Path
) -> None:
    s3 = local_aws.client("s3", region="eu-west-1")
    s3.create_bucket(Bucket="states-to-move", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    folder = stateful(tmp_path, "{namespace: acme, backend: {s3: {bucket: states-to-move, region: eu-west-1}}}")
    before_namespaces(folder, environ)

    subprocess.run(["bash", "-ec", upgrade_steps("key")], cwd=tmp_path, env=environ, check=True, capture_output=True)
    terraform.run("init", folder=folder, environ=environ)
    assert "1 to add, 0 to change, 0 to destroy" in terraform.run("plan", folder=folder, environ=environ)
    assert "terraform_data.older" in terraform.run("state", "list", folder=folder, environ=environ)


def before_namespaces(folder: Path, environ: Mapping[str, str]) -> None:
    """Applies a stack as it was before states had a namespace and a marker."""
    stack = json.loads((folder / "cdk.tf.json").read_text())
    older = {"older": {"input": "something in AWS"}}
    text = json.dumps({**stack, "resource": {"terraform_data": older}})
    (folder / "cdk.tf.json").write_text(text.replace("/acme/image-web.", "/image-web."))
    terraform.run("init", folder=folder, environ=environ)
    terraform.run("apply", "-auto-approve", folder=folder, environ=environ)
    stack["resource"]["terraform_data"] |= older
    (folder / "cdk.tf.json").write_text(json.dumps(stack))
