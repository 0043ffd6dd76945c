"""Records the plans of fleets with `updates: automatic`, as `tests.support.record_plans` does with other ones:

python -m tests.support.record_automatic_plans
"""

from __future__ import annotations

import json

from tests.support.record_plans import HOME, PINNED, Recording, record

ESTATE = """\
settings:
  namespace: acme
  backend: {local: {}}
images:
  web:
    os: amazon-linux-2023
    build: [update-os, components/app.yaml]
    test: [boots]
    regions: [ap-northeast-1]
    schedule: {cron: "0 3 * * ? *", timezone: Asia/Tokyo, when: always}
    channels: {staging: {from: latest, soak: 1 day}, prod: {from: staging, soak: 3 days}, stable: {from: prod}}
environments:
  dev: {region: ap-northeast-1, channel: latest, subnets: [SUBNET]}
  staging: {region: ap-northeast-1, channel: staging, subnets: [SUBNET]}
  prod: {region: ap-northeast-1, channel: prod, subnets: [SUBNET]}
fleets:
  web-dev:
    image: web
    environment: dev
    instance_type: TYPE
    capacity: {min: 2, max: 4, desired: 2}
    DEV
  web-staging:
    image: web
    environment: staging
    instance_type: TYPE
    capacity: {min: 3, max: 6, desired: 3}
    STAGING
OTHERS
"""
OTHERS = """\
  web-prod: {image: web, environment: prod, instance_type: m7i.large, capacity: {min: 12, max: 24}}
"""
NEW = """\
  web-demo: {image: web, environment: dev, instance_type: t3.small, capacity: {min: 1, max: 2}, updates: automatic}
"""
WARM = "{warmup: 1 minute}"
AUTOMATIC = f"updates: automatic\n    rollout: {WARM}"
WINDOW = '\n    window: "sun 02:00-06:00 Asia/Tokyo"'
AFTER = "\n    after: {fleets: [web-dev], soak: 1 day}"
WATCHED = f"updates: automatic\n    rollout: {WARM[:-1]}, alarms: [web-5xx], bake: 15 minutes}}"


class AutomaticRecording(Recording):
    """Two fleets that become automatic, and are not any longer."""

    dev: str = f"rollout: {WARM}"
    staging: str = "rollout: {by: goldsmith, warmup: 1 minute}"
    others: str = ""

    @property
    def estate(self) -> str:
        """What is declared."""
        return (
            ESTATE.replace("DEV", self.dev)
            .replace("STAGING", self.staging)
            .replace("OTHERS", self.others + self.pinned)
            .replace("SUBNET", self.subnet)
            .replace("TYPE", self.type)
        )

    def call(self, fleet: str) -> None:
        """A run of a fleet's function."""
        print("function", fleet, flush=True)
        called = self.world.aws.client("lambda", region=HOME).invoke(FunctionName=f"acme_{fleet}_rollout")
        assert "FunctionError" not in called, called["Payload"].read()

    @property
    def newest(self) -> str:
        """The build that `latest` points to, as commands take it."""
        found = json.loads(self.world.goldsmith("status", "web@latest", "--json"))
        return f"web@{found['images'][0]['channels'][0]['build']}"

    def move(self) -> None:
        """A build that all channels point to."""
        self.build()
        for channel, *skipped in (("staging", "--skip-soak"), ("prod", "--skip-soak"), ("stable",)):
            self.world.goldsmith("promote", "web", channel, "--why", "tested", "--yes", *skipped)


def story(each: Recording) -> None:
    """The states, one after the other."""
    assert isinstance(each, AutomaticRecording)
    aws, dev, staging = each.world.aws, "fleet-web-dev", "fleet-web-staging"
    each.declare(type="t3.small")
    each.apply(f"history-{HOME}", "image-web")
    each.move()
    each.apply(dev, staging)
    each.declare(command="systemctl enable --now nginx")
    each.apply("image-web")
    each.move()
    each.apply(staging)
    each.world.goldsmith("rollout", "web-staging", "--yes")
    each.declare(dev=AUTOMATIC, staging=AUTOMATIC + WINDOW)
    each.plan("automatic-from-plan", dev, staging)
    each.apply(dev, staging)
    aws.set_rollout_time()
    each.call("web-dev")
    each.call("web-dev")
    each.declare(others=NEW)
    each.plan("automatic-new", "fleet-web-demo")
    each.declare(others="", type="t3.medium")
    each.plan("automatic-template", dev, staging)
    each.apply(dev, staging)
    each.call("web-dev")
    each.world.goldsmith("rollout", "web-staging", "--yes", "--now", "--why", "to record it")
    each.declare(staging=WATCHED + WINDOW + AFTER, others=OTHERS, pinned=PINNED)
    each.plan("automatic-rules", dev, staging)
    each.declare(command="systemctl restart nginx")
    each.plan("automatic-next-build", "image-web")
    each.declare(staging=AUTOMATIC + WINDOW, others="", pinned="")
    each.apply("image-web")
    aws.set_rollout_time(launch_seconds=1, scale=0.02, give_up_seconds=6)
    each.move()
    aws.break_instances(each.latest, reason="Instance failed its ELB health checks")
    each.world.goldsmith("rollout", "web-dev", "--yes", fails=True)
    aws.set_rollout_time()
    each.call("web-dev")
    each.declare(type="t3.large")
    each.plan("automatic-after-rollback", dev)
    each.declare(dev=f"rollout: {WARM}", type="t3.medium")
    each.plan("automatic-to-plan", dev)
    each.plan("automatic-destroy", dev, arguments=["-destroy"])
    each.world.goldsmith("revoke", each.newest, "--why", "it does not boot", "--yes")
    each.plan("automatic-to-plan-same-build", dev)


if __name__ == "__main__":
    record(story, of=AutomaticRecording)
