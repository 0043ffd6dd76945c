"""`goldsmith build --children`: a base, and after it the images that are built on it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from lambda_src.handoff.holds import Hold
from local_aws.server import LocalAws
from tests.support.handoff_world import HOME, ImageWorld
from tests.support.ops_world import OpsWorld

_FIELDS = "os: amazon-linux-2023, build: [update-os], regions: [us-east-1, eu-west-1]"


@dataclass(frozen=True)
class Family:
    """A base; `web`, which is built on its channel `stable`; and `app`, which is built on the `latest` of `web`."""

    world: OpsWorld
    base: ImageWorld
    web: ImageWorld
    app: ImageWorld

    def declare(self, *, stable: str = "{}", more: str = "", child: str = "") -> None:
        base, web, app = self.base.name, self.web.name, self.app.name
        images = {
            base: f"{_FIELDS}, channels: {{stable: {stable}}}{more}",
            web: f"{_FIELDS}, parent: {base}@stable",
            app: f"{_FIELDS}, parent: {web}",
        }
        images |= {child: f"{_FIELDS}, parent: {base}"} if child else {}
        lines = (f"  {name}: {{{fields}}}" for name, fields in images.items())
        self.world.config.write_text("\n".join(["settings: {namespace: acme}", "images:", *lines]))

    def running(self, *options: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """The command for the base, in a process of its own, which does not ask."""
        return self.world.running("build", self.base.name, "--children", "--yes", *options)

    def command(self, rest: str) -> str:
        return f"goldsmith {rest} --config {self.world.config}"


@pytest.fixture
def family(world: OpsWorld, local_aws: LocalAws) -> Family:
    web = ImageWorld(local_aws, parent=f"ssm:{world.web.path}/stable")
    family = Family(world, world.web, web, ImageWorld(local_aws, parent=f"ssm:{web.path}/latest"))
    family.declare()
    return family


def builds(image: ImageWorld) -> list[str]:
    """The builds of an image."""
    answer = image.other_imagebuilder.list_image_pipeline_images(imagePipelineArn=image.image.pipeline_arn)
    return [summary["arn"].partition(":image/")[2].partition("/")[2] for summary in answer["imageSummaryList"]]


def await_build(image: ImageWorld, build: str = "1.0.7/1") -> str:
    """The ARN of a build that somebody else starts, when it has ended."""
    arn = image.pipeline["imagePipelineArn"].replace(":image-pipeline/", ":image/") + f"/{build}"
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if image.details(arn)["state"]["status"] in ("AVAILABLE", "FAILED"):
                return arn
        except ClientError:
            pass  # not started yet
        time.sleep(0.05)
    raise AssertionError(f"{build} was not built")


def parent_of(image: ImageWorld, arn: str) -> str:
    """The AMI that a build was made from."""
    ami = image.amis(arn)[HOME]
    source: str = image.registry[HOME].describe_images(ImageIds=[ami])["Images"][0]["SourceImageId"]
    return source


def test_children_are_built_on_the_new_base_and_what_failed_goes_on_with_one_command(
    family: Family, local_aws: LocalAws
) -> None:
    base, web, app = family.base, family.web, family.app
    with family.running("--why", "CVE-2026-1") as process:
        made = await_build(base)
        local_aws.fail_next_build(at="TESTING", reason="nginx did not answer")
        base.run()
        out, err = process.communicate(timeout=30)
    assert re.search(rf"^1 +{base.name} .* {base.name}@stable$", out, re.MULTILINE), "it is shown first"
    assert f"{base.name}@stable points to " in out
    assert base.channels(HOME)["stable"].value == base.amis(made)[HOME]
    assert base.channels(HOME)["stable"].record["why"] == "CVE-2026-1"
    again = family.command(f"build {web.name} --children --why CVE-2026-1")
    assert re.sub(" while [A-Z]+", "", err).splitlines() == [
        f"done: {base.name} 1.0.7/1",
        f"failed: {web.name} 1.0.7/1 FAILED: nginx did not answer",
        f"go on with: {again}",
        f"not started: {app.name}, which is built on {web.name}",
    ]
    assert (process.returncode, builds(app)) == (1, [])

    with family.world.running("build", web.name, "--children", "--yes", "--json") as process:
        made_of_web = await_build(web, "1.0.7/2")
        web.run()
        made_of_app = await_build(app)
        app.run()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert parent_of(web, made_of_web) == base.amis(made)[HOME]
    assert parent_of(app, made_of_app) == web.amis(made_of_web)[HOME]
    images = json.loads(out)["images"]
    assert [(image["image"], image["parent"], image["build"], image["state"]) for image in images] == [
        (web.name, None, "1.0.7/2", "done"),
        (app.name, f"{web.name}@latest", "1.0.7/1", "done"),
    ]


def test_what_is_known_to_stop_it_is_said_before_anything_is_built(family: Family) -> None:
    family.declare(stable="{soak: 1 day}", child="undeployed")
    base, web = family.base, family.web
    hold = Hold(held=True, by="anna", why="audit").to_json()
    web.other_ssm[HOME].put_parameter(Name=f"{web.path}/_hold", Value=hold, Type="String")
    answer = family.world.ops("build", base.name, "--children", "--yes")
    assert answer.err.splitlines() == [
        f"{base.name}@stable: takes builds that were in latest for 1 day, and a new build was not; in an emergency "
        "--skip-soak --why REASON",
        f"{web.name}: must not be held, and is held by anna: audit; goldsmith hold {web.name} --undo",
        "image-undeployed is not deployed: run goldsmith plan image-undeployed and apply it (looked in account "
        "000000000000, us-east-1)",
    ]
    assert (answer.out, answer.status, builds(base)) == ("", 1, [])


def test_without_an_answer_nothing_is_built(family: Family) -> None:
    family.declare(stable="{soak: 1 day}")
    name = family.base.name
    answer = family.world.ops("build", name, "--children", "--skip-soak", "--why", "CVE-2026-1")
    assert answer.err == f"{name}: nobody can be asked, because standard input is not a terminal; add --yes\n"
    assert f"SKIPS the soak time of {name}@stable: CVE-2026-1\n" in answer.out, "it is shown"
    assert (answer.status, builds(family.base)) == (1, [])


def test_a_base_that_the_gate_refuses_is_the_end(family: Family) -> None:
    family.declare(more=", image_scanning: {image_scanning_enabled: true}, gate: {max_severity: high}")
    base, web, app = family.base.name, family.web.name, family.app.name
    answer = family.world.ops("build", base, "--children", "--yes")
    emergency = f"goldsmith promote {base}@1.0.7/1 stable --despite-gate --why REASON"
    assert answer.err.splitlines() == [
        f"failed: {base} 1.0.7/1 does not pass the gate: scan is missing; goldsmith build {base}; or in an emergency "
        f"{emergency}",
        f"go on with: {family.command(f'build {base} --children')}",
        f"not started: {web}, which is built on {base}",
        f"not started: {app}, which is built on {web}",
    ]
    assert (answer.status, builds(family.web)) == (1, [])


def test_ctrl_c_leaves_builds_running_and_names_the_command_that_goes_on(family: Family, local_aws: LocalAws) -> None:
    family.declare(stable="{soak: 1 day}")
    base, web, app = family.base.name, family.web.name, family.app.name
    with family.running("--skip-soak", "--why", "zero day") as process:
        assert process.stdout is not None
        while "hand-off" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    again = family.command(f"build {base} --children --attach 1.0.7/1 --skip-soak --why 'zero day'")
    assert err.splitlines() == [
        "",
        f"{base} 1.0.7/1 continues in AWS",
        f"go on with: {again}",
        f"not started: {web}, which is built on {base}",
        f"not started: {app}, which is built on {web}",
    ]
    assert (process.returncode, builds(family.web)) == (130, [])

    family.base.run()
    api = ImageWorld(local_aws, parent=f"ssm:{family.base.path}/latest")
    family.declare(stable="{soak: 1 day}", child=api.name)
    with family.running("--attach", "7/1", "--skip-soak", "--why", "zero day") as process:
        for image in (family.web, api):  # one does not wait for the other
            await_build(image)
        for image in (family.web, api, family.app):
            await_build(image)
            image.run()
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err, builds(family.base)) == (0, "", ["1.0.7/1"])
    assert f"done: {base} 1.0.7/1, {web} 1.0.7/1, {api.name} 1.0.7/1, {app} 1.0.7/1\n" in out
    assert "SKIPPED soak: " in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--why", "x"], "argument --why: must come with --children\n"),
        (["--children", "--skip-soak"], "argument --skip-soak: needs --why, the reason, which the history keeps\n"),
        (
            ["--children", "--no-wait"],
            "argument --no-wait: must not come with --children, which waits for each build\n",
        ),
        (
            ["--children", "--attach"],
            "argument --attach: needs a build with --children, got none; write --attach 1.0.912/3\n",
        ),
    ],
)
def test_options_that_do_not_go_together(world: OpsWorld, options: list[str], message: str) -> None:
    answer = world.ops("build", world.name, *options)
    assert (answer.err, answer.status) == (message, 2)


def test_an_image_without_children(world: OpsWorld) -> None:
    answer = world.ops("build", world.name, "--children", "--yes")
    assert answer.err == (
        f"argument --children: no image of the configuration is built on {world.name}; goldsmith build {world.name}\n"
    )
    assert answer.status == 2
