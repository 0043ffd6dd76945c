"""`goldsmith apply` with a stand-in for Terraform: the order, what is asked and refused, and how it stops."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.team import DASHBOARDS, GOLDSMITH, Team, running_below, show, team_with_stand_in, wait_for
from tests.support.terminals import on_a_terminal, read_until

STACKS = ["history-eu-west-1", "image-web", "image-app", "overview-eu-west-1"]
ESTATE = DASHBOARDS.replace(
    "images:", "images:\n  app: {os: amazon-linux-2023, parent: web, build: [update-os], regions: [eu-west-1]}"
)
LEFT = """\
applied: {done}
left: {left}
to go on: goldsmith apply cdktf.out/plans; where a plan is stale: goldsmith plan {again}, and apply that
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Team, Path]:
    """A team that has planned everything, and a copy of its folder: a plan costs as much as what most tests do."""
    folder = tmp_path_factory.mktemp("planned")
    team = team_with_stand_in(folder)
    team.declare(ESTATE)
    assert team.run("plan").status == 0
    (folder / "record").unlink()
    return team, Path(shutil.copytree(folder, tmp_path_factory.mktemp("copies") / "copy"))


@pytest.fixture
def team(planned: tuple[Team, Path]) -> Team:
    """The team as it was when it had planned."""
    team, copy = planned
    shutil.rmtree(team.folder)
    shutil.copytree(copy, team.folder)
    return team


def applied(team: Team) -> list[str]:
    """The stacks for which Terraform's apply was run, in this order."""
    return [line.split()[0] for line in team.recorded() if line.endswith(" apply")]


def test_saved_plans_are_applied_what_is_needed_first(team: Team) -> None:
    program = team.folder / "bin" / "terraform"
    program.write_text(program.read_text().replace('"$stack $2"', '"$stack" "$@"'))
    answer = team.run("apply", "cdktf.out/plans", "--yes")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.splitlines()[-4:] == [f"{number}/4 {stack}: applied" for number, stack in enumerate(STACKS, 1)]
    commands = [line for line in team.recorded() if " apply " in line]
    assert [line.split()[0] for line in commands] == STACKS
    for stack, line in zip(STACKS, commands, strict=True):
        assert line.endswith(f" apply -json -input=false {(team.plans / stack / 'tfplan').absolute()}")


def test_nothing_is_applied_without_a_terminal_or_yes(team: Team) -> None:
    answer = team.run("apply", "cdktf.out/plans")
    words = "apply cdktf.out/plans: nobody can be asked, because standard input is not a terminal; add --yes\n"
    assert (answer.status, answer.err, team.recorded()) == (1, words, [])


@pytest.mark.parametrize(("typed", "status"), [(b"yes\n", 0), (b"y\n", 1), (b"\x03", 130)], ids=["yes", "y", "Ctrl-C"])
def test_on_a_terminal_only_yes_applies(team: Team, typed: bytes, status: int) -> None:
    command = [GOLDSMITH, "apply", "cdktf.out/plans"]
    with on_a_terminal(command, folder=team.folder, environment=team.environment) as (process, terminal):
        shown = read_until(terminal, "Apply these plans? Type yes: ")
        os.write(terminal, typed)
        shown += read_until(terminal, "")
        assert process.wait(timeout=120) == status
    assert applied(team) == (STACKS if status == 0 else [])
    assert status == 0 or shown.splitlines()[-1] == "nothing was applied"


def test_what_is_destroyed_is_named(team: Team) -> None:
    show(
        team.folder,
        resource_changes=[
            {"address": "aws_a.old", "change": {"actions": ["delete"]}},
            {"address": "aws_a.other", "change": {"actions": ["create", "delete"]}},
        ],
    )
    assert team.run("plan", "image-web").status == 0
    lines = team.run("apply", "cdktf.out/plans", "--yes").out.splitlines()
    assert lines[2:4] == ["image-web: aws_a.old is destroyed", "image-web: aws_a.other is replaced"]


def test_it_stops_at_the_first_failure_and_goes_on_where_it_stopped(team: Team) -> None:
    answer = team.run("apply", "cdktf.out/plans", "--yes", BROKEN="image-app:apply")
    left = LEFT.format(
        done="history-eu-west-1, image-web", left="image-app, overview-eu-west-1", again="image-app overview-eu-west-1"
    )
    assert (answer.status, answer.err) == (1, f"image-app failed: Error: no apply of image-app\n{left}")
    assert applied(team) == STACKS[:3]

    (team.folder / "record").unlink()
    answer = team.run("apply", "cdktf.out/plans", "--yes", STALE="history-eu-west-1 image-web", PLANNED="0")
    assert (answer.status, answer.err) == (0, "")
    assert [line.partition(": ")[2] for line in answer.out.splitlines()[-4:]] == [
        "was applied already",
        "was applied already",
        "applied",
        "applied",
    ]


def test_a_plan_whose_state_somebody_else_has_changed_has_to_be_made_again(team: Team) -> None:
    answer = team.run("apply", "cdktf.out/plans", "--yes", STALE="image-web", PLANNED="2")
    words = "image-web failed: its plan is stale, because its state was changed since: plan it again"
    assert (answer.status, answer.err.splitlines()[0]) == (1, words)
    assert applied(team) == STACKS[:2]


def test_nothing_is_applied_when_an_init_fails(team: Team) -> None:
    answer = team.run("apply", "cdktf.out/plans", "--yes", BROKEN="image-app:init")
    assert answer.status == 1
    assert answer.err.splitlines()[:2] == ["image-app: Error: no init of image-app", "applied: nothing"]
    assert applied(team) == []


def test_what_was_not_planned_or_is_not_there_is_refused(team: Team) -> None:
    (team.plans / "image-web" / "tfplan").unlink()
    answer = team.run("apply", "cdktf.out/plans", "--yes")
    words = "cdktf.out/plans/image-web/tfplan does not exist\nnothing was applied: goldsmith plan again\n"
    assert (answer.status, answer.err) == (1, words)
    team.run("plan", BROKEN="image-web:plan")
    answer = team.run("apply", "cdktf.out/plans", "--yes")
    assert (answer.status, answer.err.splitlines()[0]) == (1, "image-web was not planned: Error: no plan of image-web")
    answer = team.run("apply", "nowhere", "--yes")
    words = "nowhere/plans.json: cannot be read: No such file or directory; give the folder that goldsmith plan --out "
    assert (answer.status, answer.err) == (2, f"{words}has written\n")
    team.run("plan")
    for stack, content in (("image-web", b'{"resource_ch'), ("image-app", b"\xff\xfe")):
        (team.plans / stack / "plan.json").write_bytes(content)
    answer = team.run("apply", "cdktf.out/plans", "--yes")
    places = [line.partition(": cannot be read: ")[0] for line in answer.err.splitlines()]
    files = [f"cdktf.out/plans/{stack}/plan.json" for stack in ("image-app", "image-web")]
    assert (answer.status, sorted(places)) == (1, [*files, "nothing was applied: goldsmith plan again"])
    (team.plans / "plans.json").write_text('{"stacks": [{"stack": "image-web"}]}')
    answer = team.run("apply", "cdktf.out/plans", "--yes")
    words = "cdktf.out/plans/plans.json: is not a list of plans; run goldsmith plan again\n"
    assert (answer.status, answer.err) == (2, words)
    assert applied(team) == []


def test_the_plans_of_another_commit_are_refused(team: Team) -> None:
    team.declare(f"# of the team\n{ESTATE}")
    assert team.run("apply", "cdktf.out/plans", "--yes").status == 0, "a comment changes nothing"
    (team.folder / "record").unlink()
    team.declare(ESTATE.replace(", dashboards: true", ", tags: {team: a}"))
    answer = team.run("apply", "cdktf.out/plans", "--yes")
    assert answer.status == 1
    assert sorted(answer.err.splitlines()[:-1]) == [
        "history-eu-west-1 is not as it was planned",
        "image-app is not as it was planned",
        "image-web is not as it was planned",
        "overview-eu-west-1 is not declared",
    ]
    words = "nothing was applied: check out the commit that was planned, or plan again"
    assert (answer.err.splitlines()[-1], applied(team)) == (words, [])


def test_without_changes_there_is_nothing_to_do(team: Team) -> None:
    team.run("plan", PLANNED="0")
    answer = team.run("apply", "cdktf.out/plans")
    assert (answer.status, answer.out, answer.err) == (0, "cdktf.out/plans has no changes\n", "")


def test_ctrl_c_lets_terraform_end_and_says_what_is_left(team: Team) -> None:
    with team.start("apply", "cdktf.out/plans", "--yes", SLOW="image-web:apply") as process:
        wait_for(team.folder / "slow")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    left = "image-web, image-app, overview-eu-west-1"
    expected = LEFT.format(done="history-eu-west-1", left=left, again=left.replace(",", ""))
    assert (process.returncode, err) == (130, f"\n{expected}")
    assert applied(team) == STACKS[:2]
    assert running_below(team.folder) == []
