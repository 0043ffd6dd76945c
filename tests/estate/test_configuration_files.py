"""Which files a configuration may name, and what is reported about a file outside the configuration."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from estate import limits
from estate.load import assemble, load
from estate.models.ami_image import ComponentUse
from estate.models.settings import Settings
from estate.problems import EstateError
from tests.support.broken_estates import problems_in, smallest, written
from tests.support.estates import PROJECT
from tests.support.models import image

DOCUMENT = "schemaVersion: 1.0\nphases: [{name: build, steps: [{name: A, action: Reboot}]}]\n"
SECRET = "hunter2: &hunter2 hunter2\n- *hunter3\n@hunter2"

NAMED_BY = {
    "a component": "build: [{path}]",
    "a workflow": "workflows: {{build: {path}}}",
    "a Dockerfile": "kind: container\nparent: nginx:1.29\ndockerfile: {path}",
}
OUTSIDE = "must stay below the configuration's folder, also through links"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder for a configuration, with files outside it that do not belong to it."""
    folder = tmp_path / "checkout" / "config"
    folder.mkdir(parents=True)
    (tmp_path / "secret.yml").write_text(SECRET)
    (tmp_path / "checkout" / "app.yml").write_text(DOCUMENT)
    return folder


def naming(what: str, path: str) -> str:
    """An estate whose image names a path."""
    estate = smallest("image", NAMED_BY[what].format(path=path))
    if what == "a Dockerfile":
        estate = estate.replace("    os: amazon-linux-2023\n", "").partition("fleets:")[0]
    return estate


# --- Outside the folder


@pytest.mark.parametrize("what", NAMED_BY)
@pytest.mark.parametrize(
    "path",
    ["../app.yml", "../../secret.yml", "../gone.yml", "a/../../app.yml", "/etc/hosts.yml", "link.yml", "up/app.yml"],
)
def test_a_path_stays_below_the_folder(what: str, path: str, config: Path) -> None:
    (config / "link").symlink_to("../../secret.yml")
    (config / "link.yml").symlink_to("link")
    (config / "up").symlink_to("..")
    found = problems_in(written(config, naming(what, path)))
    assert f": {OUTSIDE}, got {path!r}; put a copy of the file there" in found
    assert len(found.splitlines()) == 1
    assert "hunter" not in found


def test_links_and_dots_inside_the_folder_are_followed(config: Path) -> None:
    (config / "components").mkdir()
    (config / "components" / "app.yml").write_text(DOCUMENT)
    (config / "components" / "same.yml").symlink_to("../components/app.yml")
    third = config / "components" / "third.yml"
    third.write_text(DOCUMENT)
    paths = f"components/../components/app.yml, components/same.yml, {third}"
    assert len(load(written(config, smallest("image", f"build: [{paths}]"))).documents) == 3
    linked = config.parent / "by-link"
    linked.symlink_to("config")
    assert len(load(linked).documents) == 3


def test_a_file_of_the_estate_is_no_link_to_outside(config: Path) -> None:
    written(config, smallest())
    (config / "more.yaml").symlink_to("../../secret.yml")
    rule = "is a link to outside the configuration's folder; put a copy of the file here"
    assert problems_in(config) == f"{config}/more.yaml: {rule}"
    assert problems_in(config / "more.yaml") == f"{config}/more.yaml: {rule}"


def test_paths_of_an_estate_in_python_stay_below_its_folder(config: Path) -> None:
    with pytest.raises(EstateError) as caught:
        build = (ComponentUse(use="../app.yml"),)
        assemble(settings=Settings(namespace="acme"), images=[image(build=build)], folder=config)
    assert str(caught.value) == f"images.web.build.0: {OUTSIDE}, got '../app.yml'; put a copy of the file there"


# --- What is in files


@pytest.mark.parametrize("what", NAMED_BY)
@pytest.mark.parametrize(
    "content", [SECRET.encode(), b"hunter2", b"- hunter2", b"hunter2\xff", b"*hunter2", b"!hunter2 a"]
)
def test_nothing_is_shown_of_a_file_that_is_no_document(what: str, content: bytes, config: Path) -> None:
    (config / "secret.yml").write_bytes(content)
    found = problems_in(written(config, naming(what, "secret.yml")))
    assert "hunter" not in found
    assert "0xff" not in found


def test_nothing_is_shown_of_a_file_that_is_no_estate(config: Path) -> None:
    (config / "estate.yaml").write_text("hunter2")
    assert problems_in(config) == f"{config}/estate.yaml:1: must have settings:, images: or fleets:, got a single value"


# --- Files that are not regular, and folders


SPECIAL = {
    "a named pipe": os.mkfifo,
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
}


@pytest.mark.parametrize(("kind", "make"), SPECIAL.items())
def test_what_is_not_a_regular_file_is_named_and_not_read(
    kind: str, make: Callable[[Path], None], config: Path
) -> None:
    make(config / "more.yaml")
    written(config, smallest())
    assert problems_in(config) == f"{config}/more.yaml: is not a regular file, got {kind}; delete or rename it"
    assert problems_in(config / "more.yaml").startswith(
        f"{config}/more.yaml: is neither a regular file nor a folder, got {kind}; make it, or set GOLDSMITH_CONFIG"
    )


@pytest.mark.parametrize("what", NAMED_BY)
@pytest.mark.parametrize(("kind", "make"), {**SPECIAL, "a folder": Path.mkdir}.items())
def test_a_document_that_is_not_a_regular_file_is_named_and_not_read(
    what: str, kind: str, make: Callable[[Path], None], config: Path
) -> None:
    make(config / "app.yml")
    found = problems_in(written(config, naming(what, "app.yml")))
    assert (
        f": is not a regular file, but {kind}, got 'app.yml'; write its path from the configuration's folder" in found
    )
    assert len(found.splitlines()) == 1


def test_devices_are_not_read(config: Path) -> None:
    (config / "more.yaml").symlink_to("/dev/zero")
    written(config, smallest())
    assert "is a link to outside the configuration's folder" in problems_in(config)
    assert problems_in(Path("/dev/zero")).startswith(
        "/dev/zero: is neither a regular file nor a folder, got a device; "
    )
    assert problems_in(Path("/dev/null")).startswith(
        "/dev/null: is neither a regular file nor a folder, got a device; "
    )


def test_links_in_a_circle_are_named(config: Path) -> None:
    (config / "circle.yml").symlink_to("circle.yml")
    words = "cannot be read: Too many levels of symbolic links"
    file = written(config, smallest("image", "build: [circle.yml]"))
    assert f"images.web.build.0: {words}, got 'circle.yml'; write its path" in problems_in(file)
    assert f"{config}/circle.yml: {words}" in problems_in(config).splitlines()
    assert problems_in(config / "circle.yml").startswith(f"{config}/circle.yml: {words}; ")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("mode", "said"), [(0o444, "/estate.yaml"), (0o000, ""), (0o111, "")])
def test_a_folder_that_nobody_may_enter_or_list_is_named(mode: int, said: str) -> None:
    folder = Path(tempfile.mkdtemp())  # where other users come to, as in those of pytest they do not
    try:
        folder.chmod(0o755)
        config = folder / "config"
        config.mkdir()
        written(config, smallest())
        config.chmod(mode)
        with as_nobody():
            found = problems_in(config)
        assert found == f"{config}{said}: cannot be read: Permission denied"
    finally:
        config.chmod(0o700)
        shutil.rmtree(folder)


# --- Sizes


def test_sizes_are_looked_at_before_contents(config: Path) -> None:
    most = 2 * 1024 * 1024
    with open(config / "estate.yaml", "wb") as file:
        file.truncate(10**12)
    assert problems_in(config) == (
        f"{config}/estate.yaml:1: a YAML file of an estate has at most {most} bytes, got {10**12}; split it in two"
    )
    with open(config / "app.yml", "wb") as file:
        file.truncate(10**12)
    for what, words in zip(NAMED_BY, ("a document", "a document", "a Dockerfile template"), strict=True):
        assert problems_in(written(config, naming(what, "app.yml"))) == (
            f"{config}/app.yml:1: {words} has at most {limits.DOCUMENT.most} bytes, got {10**12}; split it in two"
        )


# --- The programs


@pytest.mark.parametrize("config", ["", "/dev/zero", "a\nb", "\udcff", "pipe", "x" * 300, "file/below", "config"])
@pytest.mark.parametrize("program", [["main.py"], ["-m", "ops", "status"]], ids=["main", "ops"])
def test_programs_say_in_one_line_what_is_wrong_with_a_configuration(
    program: list[str], config: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("")
    (tmp_path / "config").symlink_to("config")
    command = [sys.executable, "-B", *program]
    if program[0] == "main.py":
        command[2] = str(PROJECT / "main.py")
    environment = {"PATH": "", "GOLDSMITH_CONFIG": config, "PYTHONPATH": str(PROJECT)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=120)
    assert (run.returncode, run.stdout) == (2, b"")
    assert len(run.stderr.splitlines()) == 1, run.stderr.decode()
    assert b"Traceback" not in run.stderr
