"""Steers the local AWS itself, on its one port, under paths that AWS does not use.

    POST /_local_aws/next-build      {"fail": "BUILDING" | "TESTING", "reason": "…"}   the next build fails
    POST /_local_aws/next-scan       {"pipeline": "arn:…", "status": "COMPLETED", "reason": "…",
                                      "findings": [{"severity": "CRITICAL", "vulnerability": "CVE-…", "package": "…",
                                                    "version": "…", "fixed": "…"}]}
                                     how the scan of the pipeline's next build goes; without findings, they follow from
                                     the build's packages
    POST /_local_aws/scan            {"build": "arn:…", "status": "COMPLETED", "reason": "…"}
                                     change the status of a build's scan
    POST /_local_aws/state-seconds   {"seconds": 0.5}                  how long builds stay in each state
    POST /_local_aws/ami-date        {"ami": "ami-…", "date": "…"}     change when an AMI was created
    POST /_local_aws/ami-launched    {"ami": "ami-…", "date": "…"}     change when an AMI was launched last
    POST /_local_aws/next-refresh    {"group": "…", "status": "Failed", "percentage": 50, "reason": "…"}
                                     how the next instance refresh of a group ends; "Refused": it does not start
    POST /_local_aws/rollout-time    {"launch_seconds": 60, "scale": 1, "give_up_seconds": 600}
                                     how long launches and instance refreshes of groups take; `scale` multiplies
                                     warm-up, checkpoint delay, bake time and the hour of trying, which the last one
                                     replaces
    POST /_local_aws/pass-time       {"seconds": 60}                   let time pass at once for groups
    POST /_local_aws/break           {"instances": "ami-…", "reason": "…"}
                                     instances of this AMI, or of a template's version, "lt-…:2", that are launched
                                     do not become healthy
    POST /_local_aws/heal            {"instances": "ami-…"}            they become healthy again
    POST /_local_aws/next-conflict   {"bucket": "…"}                   the next conditional write to a bucket fails: 409
    POST /_local_aws/rules           {"every_seconds": 2}
                                     EventBridge's rules with a schedule call their targets so often, whatever their
                                     schedules say, and changes of parameters are events for the other rules; 0, as at
                                     the start: neither
    GET  /_local_aws/messages        {"messages": ["…"]}               what Image Builder published, oldest first
    POST /_local_aws/lifecycle       {"policy": "arn:…", "at": "…"}    run a lifecycle policy as if it were then
    POST /_local_aws/role            {"account": "…", "name": "…", "trusts": ["…"]}
                                     make a role that accounts, roles or services can assume; {"arn": "…"}
    POST /_local_aws/organization    {"account": "…", "path": "o-…/r-…/ou-…/"}    put an account into an organization
    POST /_local_aws/record-calls    {"agent": "…"}                    keep the calls whose user agent contains this
    GET  /_local_aws/calls           {"calls": [{…}]}                  each different call that was kept, oldest first
    POST /_local_aws/reset           {}                                forget all of this, and Image Builder's and
                                     Auto Scaling's resources

ministack forgets everything on `POST /_ministack/reset`. `server.LocalAws` has a method for each.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local_aws.asgi import Answer, Receive, Scope, Send, read_body, send_answer
from local_aws.auto_scaling.app import AutoScaling
from local_aws.auto_scaling.refreshes import End
from local_aws.auto_scaling.times import RolloutTime
from local_aws.calls import Calls
from local_aws.clients import Clients
from local_aws.errors import AwsError
from local_aws.image_builder.builds import Builds, Failure, failure_reason
from local_aws.image_builder.operations import ImageBuilder
from local_aws.image_builder.scans import Scan
from local_aws.image_builder.vulnerabilities import Finding
from local_aws.ministack.amis import Amis
from local_aws.ministack.event_rules import EventRules
from local_aws.ministack.s3 import S3
from local_aws.organizations import Organizations


@dataclass(frozen=True, kw_only=True)
class Control:
    """An ASGI app for the paths under `/_local_aws/`."""

    calls: Calls
    builds: Builds
    image_builder: ImageBuilder
    amis: Amis
    auto_scaling: AutoScaling
    organizations: Organizations
    s3: S3
    rules: EventRules
    clients: Clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do what is asked; status 400 with a message for what is not understood."""
        content: dict[str, Any]
        try:
            options = json.loads(await read_body(receive) or b"{}")
            request = f"{scope['method']} {scope['path'].removeprefix('/_local_aws/')}"
            if request == "GET calls":
                content, status = {"calls": await self.calls.recorded()}, 200
            else:
                # in a thread, because lifecycle policies ask EC2, which this event loop serves
                content, status = await asyncio.to_thread(self._do, request, options), 200
        except (ValueError, KeyError, TypeError, AttributeError, AwsError) as error:
            content, status = {"message": f"not understood: {error!r}"}, 400
        await send_answer(send, Answer(status, {"content-type": "application/json"}, json.dumps(content).encode()))

    def _do(self, request: str, options: dict[str, Any]) -> dict[str, Any]:
        match request:
            case "POST next-build":
                if options["fail"] not in ("BUILDING", "TESTING"):
                    raise ValueError(f"a build fails at BUILDING or TESTING, got {options['fail']!r}")
                reason = options.get("reason") or failure_reason(options["fail"])
                self.builds.next_failure = Failure(state=options["fail"], reason=reason)
            case "POST next-scan":
                self.builds.next_scans[options["pipeline"]] = _scan(options)
            case "POST scan":
                scan = _scan(options)
                self.image_builder.change_scan(options["build"], scan.status, reason=scan.reason)
            case "POST state-seconds":
                self.builds.state_seconds = float(options["seconds"])
            case "POST ami-date":
                self.amis.set_date(options["ami"], options["date"])
            case "POST ami-launched":
                self.amis.set_launched(options["ami"], options["date"])
            case "POST next-refresh":
                end = End(options["status"], percentage=int(options["percentage"]), reason=str(options["reason"]))
                self.auto_scaling.end_next_refresh(options["group"], end)
            case "POST rollout-time":
                self.auto_scaling.set_time(RolloutTime(**options))
            case "POST pass-time":
                self.auto_scaling.pass_time(float(options["seconds"]))
            case "POST break":
                self.auto_scaling.break_instances(options["instances"], reason=options["reason"])
            case "POST heal":
                self.auto_scaling.heal_instances(options["instances"])
            case "POST lifecycle":
                at = datetime.fromisoformat(options["at"])
                return {"execution": self.image_builder.run_lifecycle_policy(options["policy"], at=at)}
            case "POST role":
                return {"arn": self._make_role(options["name"], account=options["account"], trusts=options["trusts"])}
            case "POST organization":
                self.organizations.place(options["account"], options["path"])
            case "POST next-conflict":
                self.s3.conflict_next_write(options["bucket"])
            case "POST rules":
                self.rules.work(every_seconds=float(options["every_seconds"]))
            case "POST record-calls":
                self.calls.record(options.get("agent"))
            case "POST reset":
                self.image_builder.reset()
                self.auto_scaling.reset()
                self.organizations.reset()
                self.s3.reset()
                self.rules.work(every_seconds=0)
            case "GET messages":
                return {"messages": self.builds.messages}
            case _:
                raise ValueError(request)
        return {}

    def _make_role(self, name: str, *, account: str, trusts: list[str]) -> str:
        """Make a role, or change the trust policy of the one with this name; gives its ARN."""
        iam = self.clients("iam", region="us-east-1", account=account)
        services = [each for each in trusts if each.endswith(".amazonaws.com")]
        principals = {"AWS": [each for each in trusts if each not in services], "Service": services}
        statement = {"Effect": "Allow", "Principal": principals, "Action": "sts:AssumeRole"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        try:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)
        except iam.exceptions.EntityAlreadyExistsException:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=policy)
        return str(iam.get_role(RoleName=name)["Role"]["Arn"])


def _scan(options: dict[str, Any]) -> Scan:
    findings = options.get("findings")
    return Scan(
        status=options["status"],
        reason=options.get("reason", ""),
        findings=None if findings is None else [Finding(**finding) for finding in findings],
    )
