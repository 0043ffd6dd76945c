"""What synthesis says of an estate that works, and may not do what is meant."""

from datetime import date
from pathlib import Path

import pytest

from estate.load import load
from estate.remarks import remarks
from tests.support.broken_estates import smallest, written
from tests.support.estates import synthesize

SHARED = """\
launch_permission: {accounts: ["111122223333", "444455556666"]}
distribution: {eu-west-1: {kms_key_id: "arn:aws:kms:eu-west-1:000000000000:key/1"}}
"""
CASES = {
    "shared with all": (
        f"{SHARED}retention: {{keep_newest: 5}}",
        "launch_permission shares every AMI with 111122223333 and 1 more, and AMIs that are shared with them are kept; "
        "write exclusion_rules: {shared_accounts: []} to delete shared AMIs, too",
    ),
    "shared with one that counts": (
        f"{SHARED}retention: {{keep_newest: 5, exclusion_rules: {{shared_accounts: ['444455556666']}}}}",
        "launch_permission shares every AMI with 444455556666, and AMIs that are shared with them are kept; "
        "write exclusion_rules: {shared_accounts: []} to delete shared AMIs, too",
    ),
    "in regions that are left alone": (
        "retention: {keep_newest: 5, exclusion_rules: {regions: [eu-west-1]}}",
        "exclusion_rules.regions has every region of the image; remove the regions in which AMIs are to be deleted",
    ),
    "kept by a tag of their own": (
        "tags: {keep: 'true'}\nretention: {keep_newest: 5}",
        "every AMI has the tag keep = true, and AMIs with this tag are kept; "
        "write another exclusion_rules.tag_map, or other tags",
    ),
}
QUIET = (
    f"{SHARED}retention: {{keep_newest: 5, exclusion_rules: {{shared_accounts: []}}}}",
    f"{SHARED}retention: {{keep_newest: 5, exclusion_rules: {{shared_accounts: ['777788889999']}}}}",
    "tags: {keep: 'false'}\nretention: {keep_newest: 5}",
    "retention: {keep_newest: 5}",
    SHARED,
)


def said(folder: Path, lines: str) -> list[str]:
    return remarks(load(written(folder, smallest("image", lines))), today=date(2026, 1, 1))


@pytest.mark.parametrize(("lines", "why"), CASES.values(), ids=CASES)
def test_retention_that_deletes_nothing_is_reported(lines: str, why: str, tmp_path: Path) -> None:
    assert said(tmp_path, lines) == [f"images.web.retention: nothing will be deleted, because {why}"]


@pytest.mark.parametrize("lines", QUIET)
def test_retention_that_deletes_something_is_not_reported(lines: str, tmp_path: Path) -> None:
    assert said(tmp_path, lines) == []


def test_synthesis_writes_it_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines, why = CASES["shared with all"]
    synthesize(written(tmp_path, smallest("image", lines)), tmp_path / "cdktf.out")
    output = capfd.readouterr()
    assert why in output.err
    assert why not in output.out
