"""`goldsmith check` and a team's snapshots: what differs is shown, and moving a pin changes none of them."""

from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.whole_file import write_whole
from tests.support.ops_world import Answer, run_ops
from tests.support.team import DASHBOARDS, PIN, PINNED_FLEET

STACKS = ["history-eu-west-1", "image-web", "overview-eu-west-1"]


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs it on a configuration with this text."""

    def run(*options: str, text: str = DASHBOARDS) -> Answer:
        (tmp_path / "estate.yaml").write_text(text)
        return run_ops(["check", "--config", str(tmp_path), *options], capsys)

    return run


def snapshots(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted((folder / "snapshots").iterdir())}


def test_without_snapshots_one_line_says_how_to_begin(check: Callable[..., Answer], tmp_path: Path) -> None:
    begin = (
        f"{tmp_path}/snapshots does not exist, so nothing is compared with it: goldsmith check --update begins with it"
    )
    assert check() == Answer(f"{tmp_path} is correct\n{begin}\n", "", 0)
    assert not (tmp_path / "snapshots").exists()


def test_update_writes_a_file_for_each_stack_which_is_then_the_same(
    check: Callable[..., Answer], tmp_path: Path
) -> None:
    assert check("--update").out.splitlines()[1] == f"{tmp_path}/snapshots: 3 written, 0 deleted, 0 as before"
    assert [*snapshots(tmp_path)] == [f"{stack}.json" for stack in STACKS]
    text = snapshots(tmp_path)["image-web.json"]
    assert '"//"' not in text
    assert json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n" == text
    assert check() == Answer(f"{tmp_path} is correct\n3 stacks are as in {tmp_path}/snapshots\n", "", 0)
    assert check("--update").out.splitlines()[1] == f"{tmp_path}/snapshots: 0 written, 0 deleted, 3 as before"


def test_what_differs_is_shown_as_a_diff_and_fails(check: Callable[..., Answer], tmp_path: Path) -> None:
    check("--update")
    changed = DASHBOARDS.replace("build:", "description: for the web, build:")
    answer = check(text=changed)
    file = f"{tmp_path}/snapshots/image-web.json"
    assert answer.err.splitlines() == [
        f"image-web is not as in {file}",
        "if all of this is meant, run goldsmith check --update, and commit the files",
    ]
    assert answer.status == 1
    assert answer.out.splitlines()[1:3] == [f"--- {file}", "+++ what is synthesized now"]
    assert "for the web" in answer.out
    found = json.loads(check("--json", text=changed).out)["snapshots"]
    assert (found["folder"], [*found["differences"]], found["missing"], found["gone"]) == (
        f"{tmp_path}/snapshots",
        ["image-web"],
        [],
        [],
    )


def test_a_long_difference_is_cut(check: Callable[..., Answer], tmp_path: Path) -> None:
    check("--update")
    (tmp_path / "snapshots" / "image-web.json").write_text("{}\n")
    lines = check().out.splitlines()
    assert len(lines) == 62
    assert lines[-1].startswith("… and ") and lines[-1].endswith(" more lines")


def test_new_stacks_and_those_that_are_gone_are_named_and_updated(check: Callable[..., Answer], tmp_path: Path) -> None:
    check("--update")
    (tmp_path / "snapshots" / "notes.md").write_text("of the team")
    changed = DASHBOARDS.replace(", dashboards: true", "").replace("eu-west-1", "eu-west-2")
    assert check(text=changed).err.splitlines()[1:4] == [
        f"history-eu-west-2 is not in {tmp_path}/snapshots",
        f"{tmp_path}/snapshots/history-eu-west-1.json: history-eu-west-1 is not declared any more",
        f"{tmp_path}/snapshots/overview-eu-west-1.json: overview-eu-west-1 is not declared any more",
    ]
    answer = check("--update", text=changed)
    assert (answer.out.splitlines()[1], answer.status) == (
        f"{tmp_path}/snapshots: 2 written, 2 deleted, 0 as before",
        0,
    )
    assert [*snapshots(tmp_path)] == ["history-eu-west-2.json", "image-web.json", "notes.md"]


def test_a_pin_that_moves_or_is_the_first_changes_no_snapshot(check: Callable[..., Answer], tmp_path: Path) -> None:
    estate = DASHBOARDS + PINNED_FLEET
    check("--update", text=estate)
    unpinned = snapshots(tmp_path)
    for number in ("1", "2"):
        (tmp_path / "pins.yaml").write_text(PIN.replace("NUMBER", number))
        assert check(text=estate).status == 0, "compared with the snapshots of before"
        check("--update", text=estate)
        assert snapshots(tmp_path) == unpinned
    text = unpinned["fleet-web-dev.json"]
    assert json.loads(text)["data"]["aws_ami_ids"]["found"]["filter"][0]["values"] == ["<pin>"]
    assert "its pin, build <pin> of image acme/web" in text


def test_line_ends_of_another_system_are_no_difference(check: Callable[..., Answer], tmp_path: Path) -> None:
    check("--update")
    file = tmp_path / "snapshots" / "image-web.json"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert check().status == 0


def test_nothing_is_written_when_the_configuration_has_problems(check: Callable[..., Answer], tmp_path: Path) -> None:
    answer = check("--update", text="settings: {}")
    assert (answer.err, answer.status) == (f"{tmp_path}/estate.yaml:1 settings.namespace: is required\n", 2)
    assert not (tmp_path / "snapshots").exists()


def test_a_file_that_cannot_be_written_whole_stays_as_it_was_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "image-web.json"
    file.write_text("before")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))  # writing more fails, as on a full disk
    try:
        with pytest.raises(OSError) as error:
            write_whole(file, "a" * 20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (error.value.errno, error.value.filename) == (errno.EFBIG, str(file))
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("image-web.json", "before")]


def test_a_snapshot_that_is_read_only_stays_as_it_was(check: Callable[..., Answer], tmp_path: Path) -> None:
    check("--update")
    before, file = snapshots(tmp_path), tmp_path / "snapshots" / "image-web.json"
    file.chmod(0o444)
    answer = check("--update", text=DASHBOARDS.replace("build:", "description: for the web, build:"))
    assert answer == Answer("", f"{file}: cannot be written: {os.strerror(errno.EACCES)}\n", 1)
    assert snapshots(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_one_line(check: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "snapshots").touch()
    assert check("--update").err == f"{tmp_path}/snapshots: cannot be written: {os.strerror(17)}\n"
    (tmp_path / "snapshots").unlink()
    (tmp_path / "snapshots" / "image-web.json").mkdir(parents=True)
    assert check().err == f"{tmp_path}/snapshots/image-web.json: cannot be read: {os.strerror(21)}\n"
