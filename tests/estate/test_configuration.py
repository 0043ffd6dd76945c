"""What a person reads who gets the configuration wrong: every problem at once, with file, line, rule and remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from estate.load import assemble, load
from estate.models.ami_image import ComponentUse
from estate.models.settings import Settings
from estate.problems import EstateError
from tests.support.broken_estates import BROKEN_ESTATES, BrokenEstate, problems_in, smallest, written
from tests.support.estates import ESTATES, PROJECT
from tests.support.models import fleet, image


@pytest.mark.parametrize("broken", BROKEN_ESTATES, ids=lambda broken: broken.name)
def test_says_what_is_wrong_and_where(broken: BrokenEstate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken.write(tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    assert problems_in(Path("config")) == broken.lines


# --- Files


def test_empty_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    assert problems_in(Path("config")) == "config: the folder has no YAML file; begin with settings.yaml"


def test_missing_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = "no such file or folder; make it, or set GOLDSMITH_CONFIG to where your YAML files are"
    assert problems_in(Path("config")) == f"config: {words}"
    assert problems_in(Path("x" * 5000)) == f"{'x' * 5000}: {words}"
    assert problems_in(Path("a\0b")) == f"a\\x00b: {words}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"settings:\n  namespace: caf\xe9\n",
            "config/estate.yaml:2: is not UTF-8 text, got byte 0xe9; save it as UTF-8",
        ),
        ("settings: {}".encode("utf-16"), "config/estate.yaml:1: is not UTF-8 text, got byte 0xff; save it as UTF-8"),
        (b"settings: {}\n#\0\n", "config/estate.yaml:2: is not valid YAML: unacceptable character #x0000: special"),
        (b"[" * 1000, "config/estate.yaml:1: is not valid YAML: nested too deeply"),
    ],
)
def test_file_that_is_not_text_is_reported(
    content: bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/estate.yaml").write_bytes(content)
    assert problems_in(Path("config")).startswith(words)


def test_document_that_is_not_text_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, smallest("image", "build: [app.yml]"))
    Path("app.yml").write_bytes(b"schemaVersion: 1.0\n\xff")
    assert problems_in(Path("estate.yaml")) == "app.yml:2: is not UTF-8 text, got byte 0xff; save it as UTF-8"


def test_link_to_a_missing_file_is_reported(tmp_path: Path) -> None:
    written(tmp_path, smallest())
    (tmp_path / "more.yaml").symlink_to("gone.yaml")
    assert problems_in(tmp_path) == f"{tmp_path}/more.yaml: cannot be read: No such file or directory"


def test_path_that_no_file_can_have_is_reported(tmp_path: Path) -> None:
    file = written(tmp_path, smallest("image", f"build: [{'x' * 5000}.yaml]"))
    assert problems_in(file).startswith(f"{file}:8 images.web.build.0: no such file, got 'xxx")
    written(tmp_path, smallest("image", 'build: ["a\\0.yaml"]'))
    assert problems_in(file).startswith(f"{file}:8 images.web.build.0: no such file, got 'a\\x00.yaml'")


def test_document_that_is_too_large_for_aws_is_reported(tmp_path: Path) -> None:
    file = written(tmp_path, smallest("image", "build: [app.yml]"))
    document = "schemaVersion: 1.0\nphases: [{name: build, steps: [{name: A, action: Reboot}]}]\n"
    (tmp_path / "app.yml").write_text(document + "#" * (65_535 - len(document)) + "ä")
    assert problems_in(file) == (
        f"{tmp_path}/app.yml:1: a document has at most 65536 bytes, got 65537; split it in two"
    )
    (tmp_path / "app.yml").write_text(document + "#" * (65_536 - len(document)))
    assert load(file).images


def test_user_data_that_is_too_large_for_aws_is_reported(tmp_path: Path) -> None:
    file = written(tmp_path, smallest("fleet", f"user_data: {'ä' * 8193}"))
    assert problems_in(file) == (
        f"{file}:17 fleets.web-dev.user_data: has at most 16384 bytes, got 16386; move work into the image"
    )


def test_reads_a_folder_a_file_and_either_ending_and_leaves_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "settings.yml").write_bytes(b"\xef\xbb\xbfsettings: {namespace: acme}\r\n")
    (folder / "Web.YAML").write_text("images:\n  web: {os: amazon-linux-2, build: [update-os], regions: [eu-west-1]}\n")
    for ignored in (".#settings.yaml", "._web.yaml", "notes.txt", "settings.yaml~"):
        (folder / ignored).write_bytes(b"\xff")
    (folder / "old.yaml").mkdir()
    assert load(folder).amis["web"].os == "amazon-linux-2"
    assert load(folder / "settings.yml").settings.namespace == "acme"


def test_anchors_and_merges_are_read_and_their_lines_are_right(tmp_path: Path) -> None:
    estate = smallest() + "  web-two:\n    <<: *web\n    region: eu-west-2\n"
    estate = estate.replace("  web-dev:", "  web-dev: &web")
    file = written(tmp_path, estate)
    assert problems_in(file).startswith(f"{file}:19 fleets.web-two.region: image web is not distributed to this region")
    written(tmp_path, estate.replace("eu-west-2", "eu-west-1"))
    assert load(file).fleets["web-two"].channel == "prod"


def test_the_sample_and_every_example_is_sound() -> None:
    for folder in ESTATES.values():
        assert load(folder).images


# --- The program


def test_program_ends_with_status_2_and_writes_nothing(tmp_path: Path) -> None:
    broken = next(each for each in BROKEN_ESTATES if each.name == "problems everywhere, all at once and in order")
    broken.write(tmp_path / "config")
    environment = {"PATH": "", "HOME": os.environ["HOME"], "PYTHONPATH": str(PROJECT), "PYTHONUTF8": "1"}
    run = subprocess.run(
        [sys.executable, "-B", PROJECT / "main.py"], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert (run.returncode, run.stdout.decode()) == (2, "")
    assert run.stderr.decode() == broken.lines + "\n"
    assert os.listdir(tmp_path) == ["config"]


def test_program_reads_what_the_environment_names(tmp_path: Path) -> None:
    environment = {"PATH": "", "GOLDSMITH_CONFIG": "nowhere", "PYTHONIOENCODING": "ascii"}
    run = subprocess.run(
        [sys.executable, "-B", PROJECT / "main.py"], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert (run.returncode, run.stdout.decode()) == (2, "")
    assert run.stderr.decode().startswith("nowhere: no such file or folder; ")


# --- In Python


def test_estate_assembled_in_python_is_the_one_that_files_declare(tmp_path: Path) -> None:
    declared = load(written(tmp_path, smallest()))
    assembled = assemble(
        settings=Settings(namespace="acme"), images=[image(channels=("prod",))], fleets=[fleet(channel="prod")]
    )
    assert assembled == declared


def test_estate_assembled_in_python_is_checked_alike(tmp_path: Path) -> None:
    with pytest.raises(EstateError) as caught:
        assemble(
            settings=Settings(namespace="acme"),
            images=[
                image(
                    build=("update-so", ComponentUse(use="components/app.yaml"), ComponentUse(use="install-packages"))
                ),
                image(name="db", build=()),
                image(name="db"),
            ],
            fleets=[fleet(), fleet(region="eu-west-2", channel="prod"), fleet(name="shop", image="shop")],
            folder=tmp_path,
        )
    assert str(caught.value).splitlines() == [
        "images.db: is declared twice; delete or rename one",
        "fleets.web-dev: is declared twice; delete or rename one",
        "images.web.build.0: no such component for Linux, got 'update-so'; did you mean 'update-os'?",
        "images.web.build.1: no such file, got 'components/app.yaml'; write its path from the configuration's folder",
        "images.web.build.2: install-packages needs a value for packages; "
        "write {use: install-packages, with: {packages: …}}",
        "images.db: needs at least one component; begin with build: [update-os]",
        "fleets.shop.image: no such image, got 'shop'; choose one of db, web",
    ]
