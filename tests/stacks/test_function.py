"""The archive that a Lambda function is deployed from."""

import os
import zipfile
from io import BytesIO
from pathlib import Path

from stacks.function import archive

FILES = {"greeting.json": "{}"}


def _sources(folder: Path) -> Path:
    package = folder / "greeter"
    package.mkdir(parents=True)
    (package / "handler.py").write_text("def handle(event, context): ...\n")
    (package / "words.py").write_text("HELLO = 'hello'\n")
    return package


def test_same_sources_give_the_same_bytes_whatever_else_lies_there(tmp_path: Path) -> None:
    fresh, used = _sources(tmp_path / "fresh"), _sources(tmp_path / "used")
    os.utime(used / "handler.py", (0, 0))
    (used / "words.py").chmod(0o600)
    (used / "__pycache__").mkdir()
    (used / "__pycache__" / "words.cpython-311.pyc").write_bytes(b"cache")
    assert archive(fresh, files=FILES) == archive(used, files=FILES)


def test_other_sources_give_other_bytes(tmp_path: Path) -> None:
    package = _sources(tmp_path)
    before = archive(package, files=FILES)
    (package / "words.py").write_text("HELLO = 'hallo'\n")
    assert archive(package, files=FILES) != before


def test_holds_the_folder_as_a_package_that_lambda_can_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(BytesIO(archive(_sources(tmp_path), files=FILES))) as zipped:
        assert zipped.namelist() == ["greeter/greeting.json", "greeter/handler.py", "greeter/words.py"]
        assert {entry.external_attr >> 16 for entry in zipped.infolist()} == {0o644}
