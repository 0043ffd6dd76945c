"""The program `goldsmith`: from any folder, with the configuration that it finds, and without the names of before."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.estates import PROJECT
from tests.support.ops_world import Answer, run_ops

ESTATE = (
    "settings: {namespace: acme}\nimages: {web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}}\n"
)
NO_AWS = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def goldsmith(*command: str | Path, folder: Path, environ: Mapping[str, str] | None = None) -> Answer:
    """Run a program in a folder, without AWS."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        command, cwd=folder, env={**kept, **NO_AWS, **(environ or {})}, capture_output=True, text=True
    )
    return Answer(done.stdout, done.stderr, done.returncode)


# --- The program


def test_runs_from_another_folder_and_through_links_whatever_modules_are_there(tmp_path: Path) -> None:
    team = tmp_path / "team"
    (team / "config").mkdir(parents=True)
    (team / "config" / "estate.yaml").write_text(ESTATE)
    for module in ("ops", "estate", "main", "entry"):
        (team / f"{module}.py").write_text("raise SystemExit('the wrong module')")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "there").symlink_to(PROJECT / "goldsmith")
    (tmp_path / "bin" / "goldsmith").symlink_to("there")

    answer = goldsmith(tmp_path / "bin" / "goldsmith", "synth", folder=team)

    assert (answer.out, answer.err, answer.status) == ("the stacks are in cdktf.out/stacks\n", "", 0)
    assert (team / "cdktf.out" / "stacks" / "image-web" / "cdk.tf.json").is_file()
    path = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    assert goldsmith("goldsmith", "status", "wbe", folder=team, environ=path).err == (
        "unknown image 'wbe'; did you mean 'web'?\n"
    )


def test_says_what_to_do_before_anything_is_installed(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "goldsmith", tmp_path)
    answer = goldsmith(tmp_path / "goldsmith", "status", folder=Path("/"))
    words = f"goldsmith: nothing is installed yet: run make setup in {tmp_path}\n"
    assert (answer.out, answer.err, answer.status) == ("", words, 1)


# --- The configuration


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Gives what a command that is started in a folder below `tmp_path` says: which image it knows."""
    monkeypatch.delenv("GOLDSMITH_CONFIG", raising=False)

    def run(folder: str, *options: str) -> str:
        monkeypatch.chdir(tmp_path / folder)
        answer = run_ops(["status", "x", *options], capsys)
        assert (answer.out, answer.status) == ("", 2)
        return answer.err.replace("unknown image 'x'; choose one of ", "").strip()

    return run


def declare(folder: Path, image: str) -> None:
    """A configuration in a folder, with one image."""
    folder.mkdir(parents=True)
    (folder / "estate.yml").write_text(ESTATE.replace("web", image))


def test_the_configuration_is_the_nearest_folder_config_with_yaml_here_or_above(
    tmp_path: Path, known: Callable[..., str]
) -> None:
    declare(tmp_path / "team" / "config", "outer")
    declare(tmp_path / "team" / "web" / "config", "inner")
    (tmp_path / "team" / "web" / "config" / "components").mkdir()
    (tmp_path / "team" / "api" / "config").mkdir(parents=True)
    (tmp_path / "team" / "api" / "config" / "log4j.xml").touch()
    (tmp_path / "team" / "api" / "src").mkdir()
    for folder, image in (
        ("team", "outer"),
        ("team/config", "outer"),
        ("team/web", "inner"),
        ("team/web/config/components", "inner"),
        ("team/api/src", "outer"),
    ):
        assert known(folder) == image, folder
    (tmp_path / "team" / "web" / "config" / "estate.yml").write_text("images: [\n")
    assert known("team/web/config/components").startswith("../../config/estate.yml:2: is not valid YAML")


def test_a_configuration_that_is_named_is_the_one(
    tmp_path: Path, known: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config", "other", "third"):
        declare(tmp_path / name, name)
    monkeypatch.setenv("GOLDSMITH_CONFIG", "other")
    assert known("") == "other"
    assert known("", "--config", "third/estate.yml") == "third"
    assert known("third", "--config", ".") == "third"
    monkeypatch.setenv("GOLDSMITH_CONFIG", "")
    assert known("third") == "config"


def test_without_a_configuration_says_where_it_looked(tmp_path: Path, known: Callable[..., str]) -> None:
    (tmp_path / "config").touch()
    assert known("") == (
        f"no configuration: neither {tmp_path} nor a folder above it has a folder config with a YAML file; change to "
        "the folder of your configuration, or name it with --config or GOLDSMITH_CONFIG"
    )


@pytest.mark.parametrize(
    ("folder", "options", "out"),
    [
        ("config/components", [], "cdktf.out"),
        ("other", ["--config", "../config"], "other/cdktf.out"),
    ],
)
def test_stacks_are_written_beside_the_configuration_that_was_found_or_else_here(
    folder: str, options: list[str], out: str, tmp_path: Path
) -> None:
    declare(tmp_path / "config", "web")
    (tmp_path / folder).mkdir()
    answer = goldsmith(PROJECT / "goldsmith", "synth", *options, folder=tmp_path / folder)
    assert (answer.err, answer.status) == ("", 0)
    assert (tmp_path / out / "stacks" / "image-web" / "cdk.tf.json").is_file()


# --- Names of before


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("follow web 1.0.912/3 --json", "goldsmith build web --attach 1.0.912/3 --json"),
        ("follow", "goldsmith build IMAGE --attach"),
        ("parent centos-7 --region eu-west-1", "goldsmith doctor --parent centos-7 --region eu-west-1"),
        ("parent", "goldsmith doctor --parent OS"),
        ("build web --follow --config 'a b'", "goldsmith build web --config 'a b'"),
    ],
)
def test_a_name_of_before_is_refused_with_the_command_to_type(
    before: str, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run_ops(shlex.split(before), capsys)
    name = "build --follow" if before.startswith("build") else before.partition(" ")[0]
    assert (answer.out, answer.err, answer.status) == ("", f"goldsmith {name} has another name: {now}\n", 2)
