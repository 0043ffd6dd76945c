"""Alarms of the function of a fleet: it does not work, or the fleet needs a person."""

from collections.abc import Iterator

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate.arns import Arn
from estate.estate import EstateFleet
from stacks.alarms import Alarm, add_alarm, dead_letters_of, errors_of
from stacks.function import Function

_PERIOD_IN_SECONDS = 600
"""In which the function runs twice."""


def add_alarms(stack: TerraformStack, declared: EstateFleet, *, function: Function, emails: SnsTopic | None) -> None:
    """The alarms. Those about the function itself notify whoever is notified of its rollouts; if nobody is, and when a
    person is needed, of which the function itself sends a sentence, those of `settings.alarm_actions` are notified that
    are of the fleet's region and account."""
    others = list(_of_the_settings(declared))
    notified = [*([emails.arn] if emails else []), *declared.fleet.notifications.topic_arns] or others
    for alarm in _alarms(declared, function):
        add_alarm(
            stack,
            alarm,
            name=declared.names.alarm(alarm.kind),
            label=declared.names.label,
            actions=others if alarm.kind == "needs_person" else notified,
        )


def _of_the_settings(declared: EstateFleet) -> Iterator[str]:
    """Those actions that an alarm of the fleet can have."""
    for action in declared.settings.alarm_actions:
        arn = Arn.parse(action)
        if arn.region == declared.fleet.region and declared.account in (None, arn.account_id):
            yield action


def _alarms(declared: EstateFleet, function: Function) -> Iterator[Alarm]:
    yield errors_of(function, description="the function that rolls out its builds fails", period=_PERIOD_IN_SECONDS)
    yield dead_letters_of(
        function,
        description="the dead-letter queue of the function that rolls out its builds has an event",
        period=_PERIOD_IN_SECONDS,
    )
    yield Alarm(
        kind="needs_person",
        description="a rollout did not end well, or cannot start, and a person is needed: goldsmith status "
        f"{declared.fleet.name}",
        namespace="Goldsmith",
        metric="NeedsPerson",
        dimensions={"Fleet": declared.names.label},
        period=_PERIOD_IN_SECONDS,
        # not while the instances of a new group start
        periods=2,
    )
