"""Whatever a file of the configuration holds, there is one line for each problem, and it comes soon."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estate.load import load
from estate.problems import EstateError
from tests.support.broken_estates import problems_in, smallest, written

DOCUMENT = """\
schemaVersion: 1.0
description: "An app"
parameters:
  - port: {type: string, default: '80', description: Whole number.}
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        if: {stringEquals: linux, value: "{{ port }}"}
        loop: {name: each, forEach: [a, b]}
        inputs: {commands: ["echo {{ port }} {{ each.value }}"]}
      - name: Show
        action: ExecuteBash
        inputs: {commands: ["echo {{ build.Install.outputs.stdout }}"]}
"""
WORKFLOW = """\
schemaVersion: 1.0
parameters:
  - {name: tries, type: integer, default: 3}
steps:
  - name: Launch
    action: LaunchInstance
    inputs: {waitFor: ssmAgent}
  - name: Run
    action: RunCommand
    if: {and: [{numberEquals: 1, value: $.parameters.tries}, {not: {stringEquals: a, value: b}}]}
    inputs: {documentName: AWS-RunShellScript, instanceId.$: $.stepOutputs.Launch.instanceId}
outputs:
  - {name: ImageId, value: $.stepOutputs.Run.runCommandId}
"""
DOCKERFILE = (
    "FROM {{{ imagebuilder:parentImage }}}\n{{{ imagebuilder:environments }}}\n{{{ imagebuilder:components }}}\n"
)
CONTAINER = """\
settings: {namespace: acme}
images:
  box: {kind: container, parent: "nginx:1.29", regions: [eu-west-1], build: [update-os], dockerfile: file.yml}
"""
FILES = {
    "an estate": ("estate.yaml", smallest(), smallest()),
    "a component": ("file.yml", DOCUMENT, smallest("image", "build: [file.yml]")),
    "a workflow": ("file.yml", WORKFLOW, smallest("image", "workflows: {build: file.yml}")),
    "a Dockerfile": ("file.yml", DOCKERFILE, CONTAINER),
}
# what YAML, Python, pydantic, Terraform or Image Builder give a meaning to
ODD = [
    *("\t", "\0", "\ufeff", "\u2028", "\x85", "\x1b", "\r", "\n", "\n  ", "  ", "\ud800", "é", "\U0001f600"),
    *("{", "}", "[", "]", ": ", "- ", "? ", "!", "'", '"', "#", "@", "`", "%", "~", ">-\n", ">9\n", "---\n", "...\n"),
    *("!!python/object:os.system ", "!!binary aGk= ", "!!set {a}", "!<x> ", "!!int 'x' ", "&a ", "*a", "*b"),
    *("<<: *a\n", "<<: [*a, *a]\n", "<<: x\n", "%YAML 9.9\n---\n", "%TAG ! tag:x,2000:\n---\n"),
    *("null", "NO", "1e400", "-.inf", ".nan", "1_000", "12:30:45", "2001-12-14t21:59:43.10-05:00"),
    *("0x" + "f" * 5000, "9" * 5000, "x" * 3000, "[" * 500, "- " * 500, "{a: " * 50),
    *('"\\ud800"', '"\\U7fffffff"', '"\\x', '"a\\nb": 1\n', '"[key]": 1\n', '"[base]": {}\n', '"\\u2060disk": 1\n'),
    *("name: x\n", "name: [a]\n", "name: {}\n", "- {}\n", "kind: container\n", "steps: [a]\n", "phases: []\n"),
    *(
        "${a}",
        "{{ a.b.c }}",
        "{{ build.Install.inputs[9].a }}",
        "{{ loop.value }}",
        "$.stepOutputs.a.b",
        "$.parameters",
    ),
    "{{ build.Install.inputs[" + "9" * 5000 + "].a }}",
]


@given(data=st.data())
@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("kind", FILES)
def test_gets_a_message_of_ours(kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    name, text, estate = FILES[kind]
    for odd in data.draw(st.lists(st.sampled_from(ODD), min_size=1, max_size=3)):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.sampled_from([begin, begin, begin + 1, begin + 9]))
        text = text[:begin] + odd + text[end:]
    file = written(folder, estate)
    (folder / name).write_bytes(text.encode(errors="surrogatepass"))
    try:
        load(file)
    except EstateError as error:
        for line in str(error).split("\n"):
            assert line.startswith(f"{folder}/") and line.isprintable(), line
            for foreign in ("Input should", "Value error", "pydantic", "Traceback"):
                assert foreign not in line.partition(", got ")[0], line


# --- Keys that look like something else


@pytest.mark.parametrize("key", ["[key]", "[base]", "[made]", "made", "with_", "__class__", "model_config"])
def test_any_unknown_key_is_one_problem_where_it_stands(key: str, tmp_path: Path) -> None:
    repository = f"repository: {{'{key}': {{'{key}': 1}}, keep_newest: 0}}"
    lines = problems_in(written(tmp_path, CONTAINER.replace("dockerfile: file.yml", repository))).splitlines()
    assert len(lines) == 2
    assert f"{tmp_path}/estate.yaml:3 images.box.repository.keep_newest: must be at least 1, got 0" in lines
    assert any(f"images.box.repository.{key}: unknown key, got '{key}'" in line for line in lines)
    for where, field in (("image", "root_volume"), ("image", "parent"), ("settings", "backend"), ("fleet", "subnets")):
        found = problems_in(written(tmp_path, smallest(where, f"{field}: {{'{key}': 1}}")))
        assert f".{field}.{key}: unknown key, got '{key}'" in found
    found = problems_in(
        written(tmp_path, smallest("image", f"distribution: {{eu-west-1: {{'{key}': {{'{key}': 1}}}}, '{key}': {{}}}}"))
    )
    assert f"images.web.distribution.eu-west-1.{key}: unknown key, got '{key}'" in found
    assert f"images.web.distribution.{key}: must be a region, got '{key}'" in found


def test_a_key_that_cannot_be_printed_is_named(tmp_path: Path) -> None:
    for key, shown in (('"\\u2060made"', "'\\u2060made'"), ('"a\\nb"', "'a\\nb'"), ('"\\0"', "'\\x00'")):
        found = problems_in(written(tmp_path, smallest("image", f"tags: {{{key}: b}}")))
        assert found == f"{tmp_path}/estate.yaml:9 images.web.tags: a key must be printable text, got {shown}"


# --- Aliases and depth


def laughs(line: str) -> str:
    """Lines that each have ten times what the one before has."""
    begin = "x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    return begin + "".join(line.format(number, ", ".join([f"*a{number - 1}"] * 10)) for number in range(1, 9))


@pytest.mark.parametrize("kind", ["an estate", "a component", "a workflow"])
def test_aliases_that_stand_for_too_much_are_refused(kind: str, tmp_path: Path) -> None:
    name, text, estate = FILES[kind]
    written(tmp_path, estate)
    (tmp_path / name).write_text(laughs("x-{0}: &a{0} [{1}]\n") + text)
    said = "x-5: has more than 200000 values once aliases and << are written out; use fewer aliases"
    assert problems_in(tmp_path / "estate.yaml") == f"{tmp_path}/{name}:6 {said}"
    (tmp_path / name).write_text(
        "x-0: &a0 [x]\n" + "".join(f"x-{n}: &a{n} [[[[[*a{n - 1}]]]]]\n" for n in range(1, 40)) + text
    )
    assert problems_in(tmp_path / "estate.yaml") == f"{tmp_path}/{name}:21: is not valid YAML: nested too deeply"


def test_merges_that_stand_for_too_much_are_refused(tmp_path: Path) -> None:
    keys = "".join(f"  k{number}: a\n" for number in range(2_000))
    uses = "".join(f"  web{number}: {{<<: *a}}\n" for number in range(2_000))
    found = problems_in(written(tmp_path, f"x-a: &a\n{keys}settings: {{namespace: acme}}\nimages:\n{uses}"))
    assert found == (
        f"{tmp_path}/estate.yaml:2004 images: has more than 200000 values once aliases and << are written out; "
        "use fewer aliases"
    )


# --- A thousand of each


def thousand(image: Callable[[int], str], fleets: str = "") -> str:
    """An estate of a thousand images."""
    images = "".join(f"  web{number}: {{{image(number)}}}\n" for number in range(1_000))
    return f"settings: {{namespace: acme}}\nimages:\n{images}{fleets}"


SOUND = "os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]"


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (lambda number: f"{SOUND}, version2: a", "unknown key, got 'version2'; did you mean 'version'?"),
        (lambda number: f"{SOUND}, parent: base{number}", "no such image, got 'base{number}'"),
        (
            lambda number: SOUND.replace("-2023", f"-9{number}"),
            "unknown operating system, got 'amazon-linux-9{number}'",
        ),
    ],
    ids=["unknown keys", "unknown bases", "unknown systems"],
)
def test_a_thousand_problems_are_a_thousand_lines(image: Callable[[int], str], said: str, tmp_path: Path) -> None:
    lines = problems_in(written(tmp_path, thousand(image))).splitlines()
    assert len(lines) == 1_000
    for number in (0, 7, 999):
        assert said.format(number=number) in lines[number]


def test_the_nearest_of_a_thousand_names_is_found(tmp_path: Path) -> None:
    fields = "channel: latest, region: eu-west-1, instance_type: t3.small, subnets: [subnet-0a]"
    names = {"a": "wbe77", "b": "web77x", "c": "wb777", "d": "wob777", "e": "web777a", "f": "shop"}
    fleets = "fleets:\n" + "".join(
        f"  fleet-{fleet}: {{image: {name}, {fields}, capacity: {{min: 1, max: 2}}}}\n" for fleet, name in names.items()
    )
    lines = problems_in(written(tmp_path, thousand(lambda number: SOUND, fleets))).splitlines()
    remedies = [line.partition("; ")[2] for line in lines]
    meant = ["web77", "web77", "web777", "web777", "web777"]
    assert remedies == [*(f"did you mean {name!r}?" for name in meant), "choose one of 1000, such as web0, web1, web10"]


def test_a_thousand_images_built_from_each_other_end_in_one_line(tmp_path: Path) -> None:
    text = thousand(lambda number: f"{SOUND}, parent: {{image: web{number + 1}}}")
    rule = "images.web999.parent: no such image, got 'web1000'; did you mean 'web100'?"
    assert problems_in(written(tmp_path, text)) == f"{tmp_path}/estate.yaml:1002 {rule}"
