"""Text that cdktf takes for its own references is refused everywhere; text that only looks similar is accepted."""

from pathlib import Path

import pytest

from estate.load import assemble, load
from estate.models.ami_image import ComponentUse
from estate.models.container_image import ContainerImage
from estate.models.settings import Settings
from estate.problems import EstateError
from tests.support.broken_estates import problems_in, smallest, written
from tests.support.estates import synthesize
from tests.support.models import fleet, image

STRING, LIST, MAP, NUMBER = (
    "${TfToken[TOKEN.1]}",
    "#{TfToken[TOKEN.1]}",
    "&{TfToken[TOKEN.1]}",
    "-1.8881545897087505e+289",
)
SAID = "looks like a reference of cdktf, which would replace it, got "
REMEDY = "; write it in another way"

DOCUMENT = """\
schemaVersion: 1.0
description: %s
phases:
  - name: build
    steps:
      - name: Say
        action: ExecuteBash
        inputs: {commands: ["echo %s"]}
"""


@pytest.mark.parametrize(
    "token", [STRING, LIST, MAP, NUMBER, "-1.8881545897087505e+289", "a subnet-82e297", "String Map Token Value"]
)
@pytest.mark.parametrize(
    ("where", "field", "key"),
    [
        ("image", "description: '{}'", "images.web.description"),
        ("image", "build: [{{use: update-os, with: {{'{}': a}}}}]", ""),
        ("image", "build: [{{use: install-packages, with: {{packages: '{}'}}}}]", "images.web.build.0.with.packages"),
        ("fleet", "user_data: 'a {} b'", "fleets.web-dev.user_data"),
    ],
)
def test_is_refused_in_any_text_of_an_estate(where: str, field: str, key: str, token: str, tmp_path: Path) -> None:
    if key.endswith("user_data") and token.startswith("String"):
        return  # only as the whole text
    found = problems_in(written(tmp_path, smallest(where, field.format(token))))
    place = f"{tmp_path}/estate.yaml:{17 if where == 'fleet' else 8 if 'build' in field else 9} {key}"
    assert any(line.startswith(place) and SAID in line and line.endswith(REMEDY) for line in found.splitlines()), found


def test_is_refused_in_settings_and_where_a_number_is_expected(tmp_path: Path) -> None:
    found = problems_in(
        written(tmp_path, smallest("settings", 'accounts: {main: {id: "111122223333", profile: a-82e297}}'))
    )
    assert found == f"{tmp_path}/estate.yaml:3 settings.accounts.main.profile: {SAID}'-82e297'{REMEDY}"
    for number in (
        NUMBER,
        "-188815458970875050000" + "0" * 269,
        "-123456789",
        "1" + "0" * 400,
        "0x" + "f" * 5000,
        "1e400",
    ):
        found = problems_in(written(tmp_path, smallest("fleet", f"capacity: {{min: {number}, max: 3}}")))
        assert found.startswith(f"{tmp_path}/estate.yaml:16 fleets.web-dev.capacity.min: must be ")
        assert len(found.splitlines()) == 1


@pytest.mark.parametrize("token", [STRING, LIST, MAP, NUMBER])
def test_is_refused_in_documents_also_where_an_escape_hides_it(token: str, tmp_path: Path) -> None:
    file = written(tmp_path, smallest("image", "build: [app.yml]"))
    (tmp_path / "app.yml").write_text(DOCUMENT % ("an app", token))
    assert problems_in(file) == f"{tmp_path}/app.yml:8: {SAID}{token!r}{REMEDY}"
    escaped = f"\\x{ord(token[0]):02x}{token[1:]}"
    (tmp_path / "app.yml").write_text(DOCUMENT % (f'"{escaped}"', "hello"))
    assert problems_in(file) == f"{tmp_path}/app.yml:1: {SAID}{token!r}{REMEDY}"
    (tmp_path / "app.yml").write_text(DOCUMENT % ("an app", "hello") + f"# {token}\n")
    assert problems_in(file) == f"{tmp_path}/app.yml:9: {SAID}{token!r}{REMEDY}"


def test_is_refused_in_workflows_and_dockerfiles(tmp_path: Path) -> None:
    (tmp_path / "build.yml").write_text(f"schemaVersion: 1.0\nsteps:\n- {{name: Abc, action: {STRING}}}\n")
    found = problems_in(written(tmp_path, smallest("image", "workflows: {build: build.yml}")))
    assert found == f"{tmp_path}/build.yml:3: {SAID}{STRING!r}{REMEDY}"
    container = "settings: {namespace: acme}\nimages:\n  box:\n    kind: container\n    parent: nginx:1.29\n"
    container += "    build: [update-os]\n    regions: [eu-west-1]\n    dockerfile: "
    (tmp_path / "Dockerfile").write_text(f"FROM {{{{{{ imagebuilder:parentImage }}}}}}\nRUN echo '{STRING}'\n")
    found = problems_in(written(tmp_path, f"{container}Dockerfile\n"))
    assert found == f"{tmp_path}/Dockerfile:2: {SAID}{STRING!r}{REMEDY}"
    found = problems_in(written(tmp_path, f"{container}|\n      RUN echo '{LIST}'\n"))
    assert f"estate.yaml:8 images.box.dockerfile: {SAID}{LIST!r}{REMEDY}" in found


def test_is_refused_in_an_estate_made_in_python() -> None:
    box = {
        "name": "box",
        "kind": "container",
        "parent": "nginx:1.29",
        "regions": ("eu-west-1",),
        "build": ("update-os",),
    }
    with pytest.raises(EstateError) as caught:
        assemble(
            settings=Settings(namespace="acme"),
            images=[
                image(description=STRING, build=[ComponentUse(use="install-packages", with_={"packages": LIST})]),
                ContainerImage.model_validate({**box, "description": NUMBER}),
            ],
            fleets=[fleet(user_data=MAP)],
        )
    assert str(caught.value).splitlines() == [
        f"images.web.description: {SAID}{STRING!r}{REMEDY}",
        f"images.web.build.0.with.packages: {SAID}{LIST!r}{REMEDY}",
        f"images.box.description: {SAID}{NUMBER!r}{REMEDY}",
        f"fleets.web-dev.user_data: {SAID}{MAP!r}{REMEDY}",
    ]


def test_what_only_looks_like_it_arrives_letter_for_letter(tmp_path: Path) -> None:
    text = (
        "TfToken[TOKEN.1] {TfToken[a]} ${Token[a]} 1e5 -1.9E289 -2e289 1.9e289 -9e298 8.2e298 a String Map Token Value"
    )
    file = written(tmp_path, smallest("image", f"description: '{text}'"))
    assert load(file).images["web"].description == text
    recipe = synthesize(file, tmp_path / "out")["image-web"]["resource"]["aws_imagebuilder_image_recipe"]
    assert [each["description"] for each in recipe.values()] == [text.replace("${", "$${")]
