"""What `make scan` leaves out, and what it installs; the scan itself takes a minute and is no part of the gate."""

import json
import re

from tests.support.estates import PROJECT


def test_every_rule_that_is_left_out_has_its_reason() -> None:
    lines = (PROJECT / ".checkov.yaml").read_text().partition("skip-check:\n")[2].splitlines()
    left_out = [number for number, line in enumerate(lines) if line.startswith("  - CKV")]
    assert len(left_out) == len({lines[number] for number in left_out}) > 0
    for number in left_out:
        assert re.match(r"  # \w.*\.$", lines[number - 1]), f"{lines[number]} has no reason right above it"
    for each in json.loads((PROJECT / ".tfnag.json").read_text())["suppressions"]:
        assert len(each["reason"].split()) > 5, each


def test_scanners_are_pinned_with_hashes_and_name_no_registry() -> None:
    wanted = re.findall(r"^[\w-]+==.+$", (PROJECT / "scripts" / "scan.in").read_text(), re.MULTILINE)
    text = (PROJECT / "scripts" / "scan-requirements.txt").read_text()
    assert "://" not in text
    packages = re.split(r"(?<!\\)\n", text.strip())
    pins = [re.match(r"([\w.-]+==[\w.]+)( ; .+?)? \\\n", each) for each in packages]
    assert all(pins), "every package has one version, and hashes"
    assert set(wanted) <= {pin[1] for pin in pins if pin}
