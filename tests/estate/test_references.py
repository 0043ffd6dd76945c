"""References in YAML and on the command line."""

import pytest

from estate.problems import RuleError
from estate.references import AmiReference, BuildReference, ChannelReference, Named, Reference, parse


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("web", Named("web")),
        ("web-prod", Named("web-prod")),
        ("web@stable", ChannelReference("web", "stable")),
        ("web@6718", BuildReference("web", "6718")),
        ("web@6718/3", BuildReference("web", "6718", 3)),
        ("web@1.0.671820532/3", BuildReference("web", "1.0.671820532", 3)),
        ("ami-0a1b2c3d", AmiReference("ami-0a1b2c3d")),
        ("ami-web", Named("ami-web")),
    ],
)
def test_a_reference_names_one_thing(text: str, reference: Reference) -> None:
    assert parse(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    "text", ["", "@", "web@", "@stable", "Web", "web@1.0", "web@6718/", "web@6718/0", "web@a@b", "a b"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(RuleError, match="must name an image, channel, build, fleet or AMI"):
        parse(text)


@pytest.mark.parametrize(
    ("written", "builds"),
    [
        ("web@67", {"1.0.671820532/3", "1.0.671820532/12", "2.1.678/1"}),
        ("web@6718", {"1.0.671820532/3", "1.0.671820532/12"}),
        ("web@6718/3", {"1.0.671820532/3"}),
        ("web@1.0.671820532", {"1.0.671820532/3", "1.0.671820532/12"}),
        ("web@1.0.6718", set()),
        ("web@1.0.671820532/1", set()),
        ("web@1", {"1.0.1/1"}),
    ],
)
def test_the_beginning_of_a_build_is_enough(written: str, builds: set[str]) -> None:
    known = {"1.0.671820532/3", "1.0.671820532/12", "2.1.678/1", "1.0.1/1"}
    reference = parse(written)
    assert isinstance(reference, BuildReference)
    assert {build for build in known if reference.matches(build)} == builds
