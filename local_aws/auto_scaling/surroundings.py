"""What groups need of EC2, KMS and CloudWatch: versions of launch templates, launches, and the state of alarms."""

from collections.abc import Mapping, Sequence

from local_aws.auto_scaling.groups import Group, Source
from local_aws.errors import AwsError
from local_aws.ministack.group_templates import Launch
from local_aws.ministack.launch_templates import ami_of, find_version, missing
from local_aws.ministack.launches import FailedLaunch, Launches
from local_aws.ministack.query_api import Query, parsed


class Surroundings:
    """Asks the services around Auto Scaling."""

    def __init__(self, *, launches: Launches) -> None:
        self._launches = launches
        self.broken: dict[str, str] = {}
        """Why instances do not become healthy, by AMI or by template and version (`Source.names`)."""

    async def template(self, group: Group, launch: Launch) -> Mapping[str, str]:
        """The template of a launch with the number of its version, which `$Latest` and `$Default` now mean; as it is
        when the template was deleted."""
        if not launch.template:
            return launch.template
        version = await find_version(group.query, launch.template, launch.template["Version"])
        return {**launch.template, "Version": version.number} if version else launch.template

    async def launch(self, group: Group, launch: Launch) -> Source | FailedLaunch:
        """What instances of a group are launched from, or why EC2 does not launch them."""
        try:
            template = await self.template(group, launch)
            if template and await find_version(group.query, template, template["Version"]) is None:
                raise missing(template)
        except AwsError as error:
            return FailedLaunch("Failed", f"{error.message} Launching EC2 instance failed.")
        failure = await self._launches.failure(group.query, template, account=group.key.account, role=group.role)
        return failure or Source(template, await ami_of(group.query, template))

    def fault(self, source: Source) -> str | None:
        """Why an instance does not become healthy, or None if it does."""
        return next((self.broken[name] for name in source.names if name in self.broken), None)

    async def alarms(self, query: Query, names: Sequence[str]) -> Mapping[str, str]:
        """The state of those alarms, metric and composite ones, that exist."""
        question = {"Action": "DescribeAlarms", "AlarmTypes.member.1": "MetricAlarm"}
        question |= {"AlarmTypes.member.2": "CompositeAlarm"}
        question |= {f"AlarmNames.member.{number}": name for number, name in enumerate(names, 1)}
        answer = parsed(await query.asking(question, service="monitoring").answer())
        return {
            alarm.findtext("{*}AlarmName", ""): alarm.findtext("{*}StateValue", "")
            for kind in ("MetricAlarms", "CompositeAlarms")
            for alarm in answer.iterfind(f".//{{*}}{kind}/{{*}}member")
        }
