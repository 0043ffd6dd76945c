"""What `make plan`, `make deploy` and `make destroy` say and do before cdktf runs, and `main.py` on its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts import terraform
from tests.support.estates import ESTATES, PROJECT, synthesize

UNREACHABLE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
DASHBOARDS = """\
settings: {namespace: acme, dashboards: true}
images:
  web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
"""
SECOND = "  shop: {os: amazon-linux-2023, build: [update-os], regions: [us-east-1]}\n"


def make(
    config: Path, out: Path, *arguments: str, cdktf: str = "/bin/echo", environ: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Exit status, standard output, which is what cdktf would be given, and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.cdktf", cdktf, *arguments],
        cwd=PROJECT,
        env={**os.environ, **(environ or UNREACHABLE), "GOLDSMITH_CONFIG": str(config), "CDKTF_OUTDIR": str(out)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def run(*command: str, environ: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(command, cwd=PROJECT, env=environ, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


# --- Which stack


def test_cdktf_gets_the_stacks_and_the_options(tmp_path: Path) -> None:
    answer = make(ESTATES["environments"], tmp_path, "deploy", "image-web", "fleet-*", "--", "--auto-approve")
    assert answer == (0, "deploy image-web fleet-* --auto-approve\n", "")


def test_an_unknown_stack_is_refused_with_the_near_ones(tmp_path: Path) -> None:
    words = "unknown stack 'image-wbe'; did you mean 'image-web'?\n"
    assert make(ESTATES["sample"], tmp_path, "plan", "image-wbe", "--") == (2, "", words)
    words = "unknown stack '../x'; choose one of fleet-web-dev, history-ap-northeast-1, image-web\n"
    assert make(ESTATES["sample"], tmp_path, "destroy", "../x", "--") == (2, "", words)


def test_a_broken_configuration_is_reported_without_cdktf(tmp_path: Path) -> None:
    (tmp_path / "estate.yaml").write_text("settings: {}")
    status, printed, words = make(tmp_path, tmp_path, "plan", "image-web", "--")
    assert (status, printed) == (2, "")
    assert words == f"{tmp_path}/estate.yaml:1 settings.namespace: is required\n"


# --- A stack whose lines were deleted


def test_a_stack_whose_lines_were_deleted_can_be_destroyed_and_does_not_stop_the_others(
    shared_providers_environment: Mapping[str, str], tmp_path: Path
) -> None:
    config, out = tmp_path / "estate.yaml", tmp_path / "cdktf.out"
    config.write_text(DASHBOARDS + SECOND)
    stack = synthesize(config, out)["overview-us-east-1"]
    # of which what needs no provider is enough
    kept = {"terraform": {"backend": stack["terraform"]["backend"]}}
    kept |= {"resource": {"terraform_data": stack["resource"]["terraform_data"]}}
    folder = out / "stacks" / "overview-us-east-1"
    (folder / "cdk.tf.json").write_text(json.dumps(kept))
    terraform.run("init", folder=folder, environ=shared_providers_environment)
    terraform.run("apply", "-auto-approve", folder=folder, environ=shared_providers_environment)

    config.write_text(DASHBOARDS)
    words = (
        "overview-us-east-1 is not declared any more: to plan it, put its lines back. goldsmith "
        "destroy overview-us-east-1 destroys its resources in AWS\n"
    )
    assert make(config, out, "plan", "overview-us-east-1", "--") == (2, "", words)

    cdktf = str(PROJECT / "node_modules" / ".bin" / "cdktf")
    planned = ("plan", "overview-eu-west-1", "--", "--output", str(out))
    status, printed, words = make(
        config, out, *planned, cdktf=cdktf, environ={**shared_providers_environment, "CI": "1"}
    )
    assert (status, words) == (0, "")
    assert "2 to add, 0 to change, 0 to destroy" in printed
    assert {folder.name for folder in (out / "stacks").iterdir()} == {
        "history-eu-west-1",
        "image-web",
        "overview-eu-west-1",
    }

    destroyed = ("destroy", "overview-us-east-1", "--", "--auto-approve")
    status, printed, words = make(config, out, *destroyed, environ=shared_providers_environment)
    folder = out / "removed" / "overview-us-east-1"
    assert (status, words) == (
        0,
        "overview-us-east-1 is not declared any more: destroying its resources in AWS with the Terraform in "
        f"{folder}\n",
    )
    assert "Resources: 1 destroyed" in printed
    assert not folder.exists()
    assert make(config, out, *destroyed)[0] == 2


def test_the_terraform_of_another_estates_stack_is_not_taken_for_a_deleted_one(tmp_path: Path) -> None:
    synthesize(ESTATES["environments"], tmp_path)
    words = "unknown stack 'fleet-web-prod'; did you mean 'fleet-web-dev'?\n"
    assert make(ESTATES["sample"], tmp_path, "destroy", "fleet-web-prod", "--") == (2, "", words)


def test_a_synthesis_does_not_offer_to_destroy_what_is_of_another_estate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = tmp_path / "estate.yaml", tmp_path / "cdktf.out"
    config.write_text(DASHBOARDS + SECOND)
    synthesize(config, out)
    (out / "stacks" / "overview-us-east-1" / ".terraform").mkdir()  # as after a plan
    config.write_text(DASHBOARDS.replace("acme", "shop"))
    synthesize(config, out)
    assert capsys.readouterr().err == ""
    assert not (out / "stacks" / "overview-us-east-1").exists()


def test_synthesis_keeps_the_terraform_of_a_stack_whose_lines_were_deleted_until_it_is_declared_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = tmp_path / "estate.yaml", tmp_path / "cdktf.out"
    config.write_text(DASHBOARDS + SECOND)
    synthesize(config, out)
    (out / "stacks" / "overview-us-east-1" / ".terraform").mkdir()  # as after a plan
    (out / "stacks" / ".DS_Store").touch()

    config.write_text(DASHBOARDS)
    synthesize(config, out)
    kept = out / "removed" / "overview-us-east-1"
    assert capsys.readouterr().err == (
        f"overview-us-east-1 is not declared any more: its Terraform is kept in {kept}; goldsmith destroy "
        "overview-us-east-1 destroys its resources in AWS\n"
    )
    assert (kept / "cdk.tf.json").is_file()

    config.write_text(DASHBOARDS + SECOND)
    synthesize(config, out)
    assert not kept.exists()


# --- What uses what is destroyed


def test_destroying_an_image_names_the_fleets_and_images_that_use_it(tmp_path: Path) -> None:
    status, printed, words = make(ESTATES["environments"], tmp_path, "destroy", "image-web", "--", "--auto-approve")
    assert (status, printed) == (0, "destroy image-web --auto-approve\n")
    assert words == (
        "image-web: in use by fleets web-dev, web-staging, web-prod. Instances, AMIs and channels stay, but there will "
        "be no new builds and no hand-off\n"
    )
    assert make(ESTATES["systems"], tmp_path, "destroy", "image-base", "--")[2] == (
        "image-base: the parent of image app, whose next builds will still start from its last build\n"
    )
    in_use, reader, _ = make(ESTATES["accounts"], tmp_path, "destroy", "image-web", "--")[2].splitlines()
    assert in_use.startswith("image-web: in use by fleets web-dev (account nonprod), web-staging (account nonprod), ")
    # and those of web-prod do not, which is pinned
    assert reader == (
        "image-web: the plans of fleets web-dev, web-staging read its channels by a role of this stack, and fail until "
        "the stack is deployed again"
    )
    in_use, keys = make(ESTATES["accounts"], tmp_path, "destroy", "image-jobs", "--")[2].splitlines()
    assert in_use.startswith("image-jobs: in use by fleet jobs-prod (account prod). ")
    assert keys == (
        "image-jobs: its AMIs are encrypted with keys of this stack, which AWS disables at once: no instance can be "
        "launched from these AMIs then. To keep the keys, remove the fleets of other accounts from the configuration "
        "and apply image-jobs first"
    )
    assert make(ESTATES["environments"], tmp_path, "destroy", "fleet-web-dev", "--")[2] == ""
    assert make(ESTATES["environments"], tmp_path, "plan", "image-web", "--")[2] == ""


# --- main.py on its own


def test_help_says_what_it_reads_and_writes_nothing(tmp_path: Path) -> None:
    environ = {**os.environ, "CDKTF_OUTDIR": str(tmp_path / "out"), "GOLDSMITH_CONFIG": str(tmp_path / "none")}
    status, printed, words = run(sys.executable, "main.py", "--help", environ=environ)
    assert (status, words) == (0, "")
    for part in ("usage: main.py", "GOLDSMITH_CONFIG", "CDKTF_OUTDIR", "exit status:\n  0  "):
        assert part in printed
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "out" / "manifest.json").mkdir(parents=True)  # which Node.js writes
    for out, place, reason in (
        ("file", "file", "File exists"),
        ("out", "out/manifest.json", "illegal operation on a directory"),
    ):
        environ = {**os.environ, "CDKTF_OUTDIR": str(tmp_path / out)}
        assert run(sys.executable, "main.py", environ=environ) == (
            1,
            "",
            f"{tmp_path / place}: cannot be written: {reason}; CDKTF_OUTDIR names the folder to write to\n",
        )


def test_an_argument_that_is_not_known_is_refused(tmp_path: Path) -> None:
    environ = {**os.environ, "CDKTF_OUTDIR": str(tmp_path / "out")}
    status, printed, words = run(sys.executable, "main.py", "config", environ=environ)
    assert (status, printed) == (2, "")
    assert words.endswith("main.py: error: unrecognized arguments: config\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("program", "package"),
    [
        ("main.py", "pydantic"),
        ("-m ops status", "pydantic"),
        ("-m scripts.cdktf", "pydantic"),
        ("-m local_aws", "hypercorn"),
    ],
)
def test_outside_the_environment_it_is_one_line_with_what_to_do(program: str, package: str) -> None:
    # -S: without the packages of the environment
    status, printed, words = run(sys.executable, "-S", *program.split())
    assert (status, printed) == (1, "")
    command = "goldsmith" if program.startswith("-m ops") else f".venv/bin/python {program}"
    remedy = f"run make setup in {PROJECT}, then {command}"
    assert words == f"this Python has no module {package}: {remedy}\n"
