"""Where Terraform's state is, with which credentials it is reached, and that no estate uses the state of another.

Terraform is the real one; only backend and marker of the stacks are kept, so that it needs no provider.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import PROJECT, synthesize
from tests.support.permissions import Estate, Recorder, check_called

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
"""
BUCKET = "{namespace: acme, backend: {s3: {bucket: states-to-move, region: eu-west-1}}}"
HAS_TO_MOVE = """\
image-web: its state, {old} with 1 resource, is still at its place from before the namespace was part of its key; \
{action} would not use it. Move it, then try again:
    goldsmith synth
    terraform -chdir={folder} init -reconfigure -backend-config={option}={place}/image-web.eu-west-1.tfstate
    terraform -chdir={folder} init -migrate-state -force-copy \
-backend-config={option}={place}/acme/image-web.eu-west-1.tfstate
"""
USED = (
    "image-web: in use by fleet web-dev. Instances, AMIs and channels stay, but there will be no new builds and no "
    "hand-off\n"
)
LEFT = (
    "image-web: plan uses {new}; {old}, from before the namespace was part of its key, still exists with 1 "
    "resource. If all of them are in the new state too, delete the old one\n"
)
OWN = 'id: "000000000000"'
ROLE = "arn:aws:iam::000000000000:role/"


def stacks_of(folder: Path, settings: str) -> dict[str, dict[str, Any]]:
    """What an image and a fleet become under these settings."""
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


# --- Where it is


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
            for stack in ("image-web", "fleet-web-dev", "history-eu-west-1")
        }


@pytest.mark.parametrize(
    ("accounts", "account", "expected"),
    [
        ("", "", {}),
        (f"main: {{{OWN}, profile: tools, role: tf}}", "", {"profile": "tools", "assume_role": "tf"}),
        (f"main: {{{OWN}, role: tf}}", "account: main", {"assume_role": "tf"}),
        (f"main: {{{OWN}, role: tf}}, states: {{{OWN}, profile: states}}", "account: states", {"profile": "states"}),
        (f"main: {{{OWN}, role: tf}}, states: {{{OWN}}}", "account: states", {}),
    ],
)
def test_the_bucket_is_reached_as_the_account_of_the_stack_unless_the_backend_names_another(
    accounts: str, account: str, expected: dict[str, str], tmp_path: Path
) -> None:
    s3 = f"{{bucket: states, region: eu-west-1, {account}}}"
    settings = f"{{namespace: acme, backend: {{s3: {s3}}}, accounts: {{{accounts}}}}}\n"
    image = "defaults: {images: {account: main}}\n" if accounts else ""
    for stack in stacks_of(tmp_path, settings + image).values():
        found = stack["terraform"]["backend"]["s3"]
        role = found.get("assume_role", {}).get("role_arn", "").removeprefix(ROLE)
        access = {"profile": found.get("profile"), "assume_role": role}
        assert {key: value for key, value in access.items() if value} == expected


def test_terraform_reaches_the_bucket_by_profile_and_role(
    local_aws: LocalAws, environ: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    s3 = local_aws.client("s3", region="eu-west-1")
    s3.create_bucket(Bucket="states-by-role", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    local_aws.make_role("states", account="000000000000", trusts=["000000000000"])
    account = f"{{{OWN}, profile: states, role: states, external_id: acme, session_name: goldsmith}}"
    backend = "{s3: {bucket: states-by-role, region: eu-west-1}}"
    folder = stateful(tmp_path, f"{{namespace: acme, backend: {backend}, accounts: {{main: {account}}}}}")
    # no credentials but the profile's
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environ.pop(name)
    profiles = tmp_path / "profiles"
    profiles.write_text("[profile states]\naws_access_key_id = test\naws_secret_access_key = test\n")
    environ["AWS_CONFIG_FILE"] = str(profiles)
    recorder = Recorder(local_aws, agent="Terraform/")
    for command in (["init"], ["apply", "-auto-approve"], ["plan", "-lock=false"]):
        recorder.run(*command, folder=folder, environ=environ)
    (state,) = s3.list_objects_v2(Bucket="states-by-role")["Contents"]
    assert state["Key"] == "goldsmith/acme/000000000000/image-web.eu-west-1.tfstate"

    # and so does who looks for a state at its old place
    old = "goldsmith/image-web.eu-west-1.tfstate"
    s3.copy_object(Bucket="states-by-role", Key=old, CopySource={"Bucket": "states-by-role", "Key": state["Key"]})
    s3.delete_object(Bucket="states-by-role", Key=state["Key"])
    assert make_image(tmp_path, environ, "plan")[2].startswith(
        f"image-web: its state, s3://states-by-role/{old} with 1"
    )

    estate = Estate(namespace="acme", account="000000000000", state_bucket="states-by-role")
    assert recorder.refused(estate, "states", role="states") == []
    check_called("states", recorder.called(estate.account, role="states"), request)


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
        "The state of image-web belongs to the estate acme, not to shop: this plan would replace the resources of "
        "acme. Give shop a state of its own (another backend, folder or key prefix). If acme was renamed to shop: "
        "destroy the stack under the old name first."
    )
    with pytest.raises(terraform.TerraformError):
        terraform.run("apply", "-auto-approve", folder=shop, environ=environ)

    assert "1 to destroy" in terraform.run("plan", "-destroy", folder=shop, environ=environ)
    assert "1 destroyed" in terraform.run("destroy", "-auto-approve", folder=shop, environ=environ)


def test_estates_that_take_turns_in_one_folder_do_not_get_each_others_states(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stateful(tmp_path, "{namespace: acme}")
    terraform.run("init", folder=folder, environ=environ)
    terraform.run("apply", "-auto-approve", folder=folder, environ=environ)

    # the same folder, in which Terraform remembers where acme's state is
    (tmp_path / "estate.yaml").write_text(f"settings: {{namespace: shop}}\n{IMAGE}{FLEET}")
    words = (
        f"image-web: {folder} was last used for the estate acme; shop has a state of its own. If acme was renamed to "
        "shop, destroy the stack under the old name first. If they are two estates, CDKTF_OUTDIR can give each a "
        "folder of its own\n"
    )
    assert make_image(tmp_path, environ, "plan") == (0, "plan image-web\n", words)
    stateful(tmp_path, "{namespace: shop}")
    assert capsys.readouterr().err == words
    terraform.run("init", folder=folder, environ=environ)
    assert "1 to add, 0 to change, 0 to destroy" in terraform.run("plan", folder=folder, environ=environ)

    stateful(tmp_path, "{namespace: acme}")
    terraform.run("init", folder=folder, environ=environ)
    terraform.run("plan", "-detailed-exitcode", folder=folder, environ=environ)

    # another backend of the same estate is for its owner to move
    stateful(tmp_path, "{namespace: acme, backend: {local: {folder: elsewhere}}}")
    with pytest.raises(terraform.TerraformError, match="Backend configuration changed"):
        terraform.run("init", folder=folder, environ=environ)


# --- From the old place to the new one


def test_the_changelogs_commands_move_a_local_state(environ: dict[str, str], tmp_path: Path) -> None:
    folder = stateful(tmp_path, "{namespace: acme}")
    before_namespaces(folder, environ)
    shutil.rmtree(folder / ".terraform")  # as in a fresh checkout
    old = tmp_path / "state" / "image-web.eu-west-1.tfstate"
    for action in ("plan", "deploy", "destroy"):
        status, printed, words = make_image(tmp_path, environ, action)
        assert (status, printed) == (1, "")
        assert words.removeprefix(USED) == HAS_TO_MOVE.format(
            old=old, action=action, folder=folder, option="path", place="../../../state"
        )

    subprocess.run(["bash", "-ec", upgrade_steps("path")], cwd=tmp_path, env=environ, check=True, capture_output=True)
    assert_moved(folder, environ)
    left = LEFT.format(old=old, new=tmp_path / "state" / "acme" / old.name)
    assert make_image(tmp_path, environ, "plan") == (0, "plan image-web\n", left)
    old.unlink()
    assert make_image(tmp_path, environ, "plan") == (0, "plan image-web\n", "")


def test_what_is_printed_moves_a_state_in_s3(local_aws: LocalAws, environ: dict[str, str], tmp_path: Path) -> None:
    s3 = local_aws.client("s3", region="eu-west-1")
    s3.create_bucket(Bucket="states-to-move", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    folder = stateful(tmp_path, BUCKET)
    before_namespaces(folder, environ)
    status, _, words = make_image(tmp_path, environ, "plan")
    assert status == 1
    old = "s3://states-to-move/goldsmith/image-web.eu-west-1.tfstate"
    assert words == HAS_TO_MOVE.format(old=old, action="plan", folder=folder, option="key", place="goldsmith")

    lost = {**environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    assert make_image(tmp_path, lost, "plan") == (0, "plan image-web\n", "")  # it cannot look, and does not mind

    (_, synth, *steps) = words.splitlines()
    assert synth.strip() == "goldsmith synth"
    subprocess.run(["bash", "-ec", "\n".join(steps)], env=environ, check=True, capture_output=True)
    assert_moved(folder, environ)
    left = LEFT.format(old=old, new=old.replace("/image-web", "/acme/image-web"))
    assert make_image(tmp_path, environ, "plan") == (0, "plan image-web\n", left)
    # the changelog has the same commands
    written = " ".join(upgrade_steps("key").split()).removeprefix("cd cdktf.out/stacks/image-web ")
    assert written == " ".join(" ".join(steps).replace(f" -chdir={folder}", "").split())


def test_the_old_state_of_another_estate_is_left_to_it(environ: dict[str, str], tmp_path: Path) -> None:
    instance = {"attributes": {"tags_all": {"goldsmith:image": "shop/web"}}}
    resource = {"mode": "managed", "type": "aws_sns_topic", "name": "topic", "instances": [instance]}
    state = {"version": 4, "resources": [resource]}
    for content in (json.dumps(state), "{}", "", json.dumps({**state, "resources": []})):
        (tmp_path / "state").mkdir(exist_ok=True)
        (tmp_path / "state" / "image-web.eu-west-1.tfstate").write_text(content)
        (tmp_path / "estate.yaml").write_text(f"settings: {{namespace: acme}}\n{IMAGE}")
        assert make_image(tmp_path, environ, "plan") == (0, "plan image-web\n", "")


@pytest.mark.parametrize(
    ("stack", "before"),
    [("image-web", "image-web"), ("history-main-eu-west-1", "history-eu-west-1")],
)
def test_the_state_from_before_its_account_was_named_is_found(
    stack: str, before: str, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "estate.yaml").write_text(f"settings: {{namespace: acme, accounts: {{main: {{{OWN}}}}}}}\n{IMAGE}")
    (tmp_path / "state" / "acme").mkdir(parents=True)
    instance = {"attributes": {"id": "1"}}
    state = {"version": 4, "resources": [{"mode": "managed", "type": "aws_x", "name": "x", "instances": [instance]}]}
    (tmp_path / "state" / "acme" / f"{before}.eu-west-1.tfstate").write_text(json.dumps(state))
    status, _, words = make_image(tmp_path, environ, "plan", stack=stack)
    assert status == 1
    assert "still at its place from before the account was part of its key" in words
    place = "../../../state/acme"
    assert f"-reconfigure -backend-config=path={place}/{before}.eu-west-1.tfstate\n" in words
    assert words.endswith(f"-backend-config=path={place}/000000000000/{stack}.eu-west-1.tfstate\n")


def test_a_stack_that_is_not_declared_any_more_and_still_has_a_state_is_named(
    local_aws: LocalAws, environ: dict[str, str], tmp_path: Path
) -> None:
    s3 = local_aws.client("s3", region="eu-west-1")
    s3.create_bucket(Bucket="states-left", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    resource = {"mode": "managed", "type": "terraform_data", "name": "other", "instances": [{"attributes": {}}]}
    state = json.dumps({"version": 4, "resources": [resource] * 2})
    local = tmp_path / "state" / "acme" / "image-gone.eu-west-1.tfstate"
    local.parent.mkdir(parents=True)
    local.write_text(state)
    s3.put_object(Bucket="states-left", Key="goldsmith/acme/image-gone.eu-west-1.tfstate", Body=state.encode())
    for backend, place in (
        ("{local: {}}", str(local)),
        ("{s3: {bucket: states-left, region: eu-west-1}}", f"s3://states-left/goldsmith/acme/{local.name}"),
    ):
        (tmp_path / "estate.yaml").write_text(f"settings: {{namespace: acme, backend: {backend}}}\n{IMAGE}")
        assert make_image(tmp_path, environ, "destroy", stack="image-gone") == (
            2,
            "",
            f"image-gone is not declared any more, and {place} still has 2 resources. To destroy them, put its lines "
            "back, or check out a commit that has them, run goldsmith destroy image-gone, and delete the lines "
            "again\n",
        )


def make_image(
    folder: Path, environ: Mapping[str, str], action: str, *, stack: str = "image-web"
) -> tuple[int, str, str]:
    """Exit status, standard output, which is what cdktf would be given, and standard error of `make ACTION`."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.cdktf", "/bin/echo", action, stack, "--"],
        cwd=PROJECT,
        env={
            **environ,
            "GOLDSMITH_CONFIG": str(folder / "estate.yaml"),
            "CDKTF_OUTDIR": str(folder / "cdktf.out"),
        },
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def assert_moved(folder: Path, environ: Mapping[str, str]) -> None:
    """The next plan adds the marker and nothing else."""
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
