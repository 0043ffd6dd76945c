"""What the tests share: fast bindings, one local AWS for all of them, and Terraform where it is available."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import botocore.hooks
import botocore.session
import botocore.useragent
import pytest

import bindings
from local_aws.server import LocalAws
from scripts import terraform
from tests.support.provider import running_providers
from tests.support.scratch_system import Base, NewSystem, System

LONGEST = (
    "test_story",
    "test_applied_estate",
    "test_automatic_fleets",
    "test_ci_steps",
    "test_faults_of_functions",
    "test_plans_after_rollouts",
    "test_applied_plans",
    "test_fleets_elsewhere",
    "test_containers",
    "test_fast_bindings",
    "test_plan",
    "test_rollout_ends",
    "test_killed_functions",
    "test_functions_meanwhile",
    "test_faults_of_moves",
    "test_faults_of_rollouts",
    "test_apply",
    "test_rollout_progress",
    "test_handoff_in_any_order",
)
"""The files that run longest. A worker gets one of these, and its next file when two tests are left."""


def pytest_configure() -> None:
    # A shell lets what it starts in the background ignore Ctrl-C, and so would all programs that the tests stop by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _keep_caches()
    bindings.start()  # before any test module imports `stacks`
    # A command has one session, which reads AWS's service models and the signatures of botocore's own handlers; the
    # tests run hundreds of commands in a process. All requests name the same user agent.
    botocore.session.create_loader = cache(botocore.session.create_loader)
    botocore.hooks.accepts_kwargs = _known_by_function(  # type: ignore[assignment]
        botocore.hooks.accepts_kwargs
    )
    botocore.useragent.sanitize_user_agent_string_component = cache(
        botocore.useragent.sanitize_user_agent_string_component
    )


def _known_by_function(ask: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same answers, each found once for a function, or for a method of all objects, which it does not keep."""
    known: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    def answer(called: Any) -> Any:
        function = getattr(called, "__func__", called)
        if function not in known:
            known[function] = ask(function)
        return known[function]

    return answer


def _keep_caches() -> None:
    """Let programs have the caches of this user also where a test gives them another home: to fill both anew takes
    four seconds of processor."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("GOLDSMITH_CACHE", str(caches / "goldsmith"))
    # Node unpacks cdktf and the bindings there
    os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(caches / "aws" / "jsii" / "package-cache"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--snapshot-update", action="store_true", help="write tests/snapshots anew, for review")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest first, then the other stories of Terraform: they wait, and the others run meanwhile."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (ranks.get(item.path.stem, len(ranks)), item.path.parent.name != "terraform"))


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    """A running local AWS. It is shared: tests name what they make so that they cannot meet."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="session")
def terraform_environment(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """In which Terraform reaches the local AWS. Without Terraform or the provider: skipped, or failed in CI."""
    environment = terraform.environment(local_aws.environment(), folder=tmp_path_factory.mktemp("terraform"))
    lack = terraform.missing(environment)
    if lack and os.environ.get("GOLDSMITH_REQUIRE_TERRAFORM"):
        pytest.fail(lack)
    if lack:
        pytest.skip(lack)
    return environment


@pytest.fixture(scope="session")
def shared_providers_environment(
    terraform_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    """The same, in which all commands share processes of the provider: for all but what `init` does about providers."""
    with running_providers(terraform_environment, folder=tmp_path_factory.mktemp("provider")) as environment:
        yield environment


@pytest.fixture(scope="session")
def scratch_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """What the scratch systems of all tests share. Where no root can be entered: skipped, or failed in CI."""
    return Base(tmp_path_factory.mktemp("scratch") / "base")


@pytest.fixture
def system(scratch_base: Base, tmp_path: Path) -> NewSystem:
    """Makes a fresh scratch system with each call; its arguments are those of `System`."""
    roots = (tmp_path / f"root-{number}" for number in itertools.count())
    return lambda **arguments: System(next(roots), base=scratch_base, **arguments)
