"""Fast bindings synthesize what the stock ones do, and are never the reason that something fails.

Each program here is a process of its own, because jsii loads an assembly once in its life.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bindings.fast import imported_in
from tests.support.estates import ESTATES, PROJECT

WITHOUT_START = """
import gc, os, sys, threading

def state():
    threads = {thread.name for thread in threading.enumerate()} - {"process.stderr_sink"}  # jsii's own
    return dict(os.environ), gc.get_threshold(), gc.isenabled(), sys.getswitchinterval(), threads

gc.set_threshold(200_000)  # modules make little garbage, and the stock bindings are many
before = state()
import stacks
assert state() == before
import cdktf_cdktf_provider_aws
assert cdktf_cdktf_provider_aws.__file__, "a stand-in for the package"
"""
ALL_ESTATES = """
import os, sys
import main
for estate, out in zip(sys.argv[1::2], sys.argv[2::2]):
    os.environ.update(GOLDSMITH_CONFIG=estate, CDKTF_OUTDIR=out)
    assert main.main() == 0
"""

TOPIC = """
import sys
import bindings
bindings.start()
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
app = App(outdir=sys.argv[1])
stack = TerraformStack(app, "a")
AwsProvider(stack, "aws", region="eu-west-1")
topic = SnsTopic(stack, "topic", name="news")
"""
UNFORESEEN = f"""{TOPIC}
from importlib import import_module
module = import_module("cdktf_cdktf_provider_aws." + "sns_" + "platform_application")
module.SnsPlatformApplication(stack, "app", name="a", platform="GCM", platform_credential=topic.arn)
"""
SYNTH = "\napp.synth()\n"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the tests of this file share."""
    return tmp_path_factory.mktemp("cache")


def _start(program: str, *arguments: str | Path, **environment: str | Path) -> subprocess.Popen[str]:
    added: Mapping[str, str] = {name: str(value) for name, value in environment.items()}
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(PROJECT), **added},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _said(*processes: subprocess.Popen[str]) -> str:
    """What programs wrote to stderr; they must have succeeded."""
    said = "".join([process.communicate()[1] for process in processes])
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return said


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_every_example_is_the_same_byte_for_byte_without_a_start(tmp_path: Path, cache: Path) -> None:
    outs = {way: [tmp_path / way / estate for estate in ESTATES] for way in ("fast", "stock")}
    arguments = {way: [path for pair in zip(ESTATES.values(), outs[way], strict=True) for path in pair] for way in outs}
    fast = _start(ALL_ESTATES, *arguments["fast"], GOLDSMITH_CACHE=cache)
    stock = _start(WITHOUT_START + ALL_ESTATES, *arguments["stock"])
    assert "goldsmith:" not in _said(fast, stock)  # which may tell of systems past their support
    assert _files(tmp_path / "fast") == _files(tmp_path / "stock")
    assert len(_files(tmp_path / "fast")) >= 2 * len(ESTATES)


def test_two_processes_make_one_cache(tmp_path: Path) -> None:
    both = [_start(TOPIC + SYNTH, tmp_path / name, GOLDSMITH_CACHE=tmp_path / "cache") for name in ("a", "b")]
    assert _said(*both) == ""
    assert _files(tmp_path / "a") == _files(tmp_path / "b")
    made = [entry.name for entry in (tmp_path / "cache" / "bindings").iterdir() if entry.is_dir()]
    assert len(made) == 1


def test_a_cache_that_was_cut_short_is_made_anew(tmp_path: Path, cache: Path) -> None:
    _said(_start(TOPIC + SYNTH, tmp_path / "whole", GOLDSMITH_CACHE=cache))
    (slim,) = cache.rglob("*.jsii.tgz")
    whole = slim.read_bytes()
    slim.write_bytes(whole[:1000])
    assert _said(_start(TOPIC + SYNTH, tmp_path / "cut", GOLDSMITH_CACHE=cache)) == ""
    assert _files(tmp_path / "cut") == _files(tmp_path / "whole")
    assert len(slim.read_bytes()) == len(whole)


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = _said(_start(TOPIC + SYNTH, tmp_path / "out", GOLDSMITH_CACHE=tmp_path / "file"))
    assert said.startswith("goldsmith: the AWS bindings are loaded whole, which takes seconds: NotADirectoryError: ")
    assert said.count("\n") == 1
    assert "news" in (tmp_path / "out" / "stacks" / "a" / "cdk.tf.json").read_text()


def test_bindings_that_are_built_otherwise_are_loaded_whole(tmp_path: Path) -> None:
    import cdktf_cdktf_provider_aws

    (stock,) = {path for path in cdktf_cdktf_provider_aws.__path__ if (Path(path) / "sns_topic").is_dir()}
    moved = tmp_path / "cdktf_cdktf_provider_aws"
    (moved / "_jsii").mkdir(parents=True)
    for source in (*Path(stock).iterdir(), *Path(stock, "_jsii").glob("*.*")):
        if source.name != "_jsii":
            (moved / source.relative_to(stock)).symlink_to(source)
    (moved / "_jsii" / "second.jsii.tgz").touch()
    said = _said(_start(TOPIC + SYNTH, tmp_path / "out", PYTHONPATH=f"{tmp_path}{os.pathsep}{PROJECT}"))
    assert said.startswith("goldsmith: the AWS bindings are loaded whole, which takes seconds: ValueError: ")
    assert said.count("\n") == 1


def test_a_submodule_that_no_source_names_is_there_all_the_same(tmp_path: Path, cache: Path) -> None:
    said = _said(_start(UNFORESEEN + SYNTH, tmp_path / "fast", GOLDSMITH_CACHE=cache))
    assert said == (
        "goldsmith: the AWS bindings are loaded whole, which takes seconds: "
        "stacks/ does not import sns_platform_application\n"
    )
    text = (tmp_path / "fast" / "stacks" / "a" / "cdk.tf.json").read_text()
    assert '"platform_credential": "${aws_sns_topic.topic.arn}"' in text


def test_stock_bindings_on_demand(tmp_path: Path) -> None:
    program = "import sys, bindings; bindings.start(); sys.exit('cdktf_cdktf_provider_aws' in sys.modules)"
    assert _said(_start(program, GOLDSMITH_STOCK_BINDINGS="1", GOLDSMITH_CACHE=tmp_path / "cache")) == ""
    assert not (tmp_path / "cache").exists()


def test_a_broken_estate_ends_without_a_message_about_node(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "estate.yaml").write_text("settings: {}\n")
    program = "import sys, main; sys.exit(main.main())"
    process = _start(program, GOLDSMITH_CONFIG=tmp_path, GOLDSMITH_CACHE=cache)
    _, said = process.communicate()
    assert (process.returncode, said.count("\n")) == (2, 1)
    assert "settings.namespace: is required" in said


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from cdktf_cdktf_provider_aws.sns_topic import SnsTopic", {"sns_topic"}),
        ("import cdktf_cdktf_provider_aws.sns_topic as topics", {"sns_topic"}),
        ("from cdktf_cdktf_provider_aws import sns_topic, sqs_queue", {"sns_topic", "sqs_queue"}),
        ("from cdktf_cdktf_provider_aws import (\n    sns_topic,\n    sqs_queue,\n)", {"sns_topic", "sqs_queue"}),
        ("def late():\n    from cdktf_cdktf_provider_aws.sns_topic import SnsTopic", {"sns_topic"}),
        ("import boto3", set()),
    ],
)
def test_finds_what_a_source_imports(tmp_path: Path, source: str, names: set[str]) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "stack.py").write_text(f"import os\n{source}\nx = 1\n")
    assert imported_in(tmp_path) == names
