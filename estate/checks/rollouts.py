"""Rules of rollouts: when they may start, and which fleets come before others."""

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from estate.checks.context import Context
from estate.models.fleet import Fleet
from estate.models.images import FleetImage
from estate.problems import Problem, did_you_mean, shown

_SHORTEST_WINDOW = timedelta(minutes=10)
"""Twice the function's interval: EventBridge starts it some seconds late ("Creating a rule that runs on a schedule" in
its user guide)."""


def by_goldsmith(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """A fleet with `window` or `after` has `rollout.by: goldsmith`: an apply of Terraform starts a rollout at any
    time."""
    if fleet.rollout.by == "goldsmith":
        return
    for field, value in (("window", fleet.window), ("after", fleet.after)):
        if value:
            rule = "needs rollout.by: goldsmith, because an apply of Terraform starts a rollout at any time"
            yield Problem((field,), rule, "by: terraform", f"write rollout: {{by: goldsmith}}, or delete {field}")


def automatic(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """With `updates: automatic` no apply starts a rollout, and no command puts fleets into waves."""
    if not fleet.is_automatic:
        return
    if fleet.rollout.by == "terraform":
        rule = "with updates: automatic no apply changes the AMI, so Terraform cannot start its rollouts"
        remedy = "delete it, or write updates: plan"
        yield Problem(("rollout", "by"), rule, shown(fleet.rollout.by), remedy)
    elif fleet.rollout.wave != 1:
        rule = "waves are of one command for several fleets, and with updates: automatic each fleet has a function"
        yield Problem(("rollout", "wave"), rule, shown(fleet.rollout.wave), "use after")


def windows_of_automatic_fleets(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """With `updates: automatic` each window is open for ten minutes or longer: the fleet's function looks every five
    minutes, and would miss a shorter one."""
    for index, window in enumerate(fleet.windows if fleet.is_automatic else ()):
        if window.end - window.start < _SHORTEST_WINDOW:
            rule = "must be open for ten minutes or longer, because the fleet's function looks every five minutes"
            yield Problem(("window", index), rule, shown(window.text), "write a longer one")


def fleets_before_automatic_ones(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """With `updates: automatic` the fleets in `after` run in the same account and region: the fleet's function sees no
    others."""
    if not fleet.is_automatic or fleet.after is None:
        return
    for other in _before(fleet, context):
        account = _account(other, image, context)
        is_near = (account, other.region) == (_account(fleet, image, context), fleet.region)
        if is_near or other.image != fleet.image:
            continue
        index = fleet.after.fleets.index(other.name) if fleet.after.fleets else None
        key = ("after", "environment") if index is None else ("after", "fleets", index)
        where = f"{account} and {other.region}" if account else other.region
        rule = f"fleet {other.name} runs in {where}, where the function of this fleet sees nothing"
        remedy = "name fleets of the same account and region, or write updates: plan or updates: pull-request"
        yield Problem(key, rule, shown(fleet.after.environment or other.name), remedy)


def _account(fleet: Fleet, image: FleetImage, context: Context) -> str | None:
    """Where it runs: the account's ID, or its name if the settings do not know it."""
    name = fleet.account or image.account
    account = context.settings.accounts.get(name or "")
    return account.id if account else name


def fleets_before(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """The fleets in `after.fleets` are other fleets of the same image."""
    for index, name in enumerate(fleet.after.fleets if fleet.after else ()):
        key, other = ("after", "fleets", index), context.fleets.get(name)
        if name == fleet.name:
            yield Problem(key, "is the fleet itself", shown(name), "name another fleet")
        elif context.fleet_names is not None and name not in context.fleet_names:
            yield Problem(key, "no such fleet", shown(name), did_you_mean(name, context.fleet_names))
        elif other and other.image != fleet.image and not context.broken_fields(fleet=("fleets", name)):
            rule = f"runs image {other.image}, and this fleet {fleet.image}"
            yield Problem(key, rule, shown(name), f"name a fleet of image {fleet.image}")


def environments_before(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """The environment in `after.environment` has another fleet of the same image."""
    if not fleet.after or not fleet.after.environment or not context.knows_every_fleet or _before(fleet, context):
        return
    key, environment = ("after", "environment"), fleet.after.environment
    environments = {each for _, each in context.fleets_of if each}
    if environment in environments:
        remedy = f"name another environment, or write after: null in fleets.{fleet.name}"
        yield Problem(key, f"no other fleet of image {fleet.image} is there", shown(environment), remedy)
    else:
        yield Problem(
            key, "no fleet is in this environment", shown(environment), did_you_mean(environment, environments)
        )


def circles(context: Context) -> Iterator[Problem]:
    """No fleet waits for itself, directly or through other fleets."""
    before = {name: {each.name for each in _before(fleet, context)} for name, fleet in context.fleets.items()}
    while circle := _circle(before):
        rule, remedy = "the fleets wait for each other", "let one of them wait for none"
        yield Problem(("fleets", circle[0], "after"), rule, " after ".join([*circle, circle[0]]), remedy)
        left = before.keys() - circle
        before = {name: others & left for name, others in before.items() if name in left}


def _before(fleet: Fleet, context: Context) -> Sequence[Fleet]:
    """The fleets that come before one, as far as they can be known."""
    if fleet.after is None:
        return ()
    if fleet.after.environment is None:
        return [context.fleets[name] for name in fleet.after.fleets if name in context.fleets and name != fleet.name]
    there = context.fleets_of.get((fleet.image, fleet.after.environment), ())
    return [each for each in there if each.name != fleet.name]


def _circle(before: Mapping[str, Set[str]]) -> list[str]:
    """Fleets of which each waits for the next one, and the last one for the first."""
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        circle = error.args[1][:0:-1]
        first = circle.index(min(circle))
        return [*circle[first:], *circle[:first]]
    return []
