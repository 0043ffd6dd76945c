"""An image of the hand-off with everything that it touches in memory, and the people and programs around it."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lambda_src.handoff.builds import REVOKED_TAG, good_builds
from lambda_src.handoff.cache import Cache, read_cache
from lambda_src.handoff.channels import channel_path
from lambda_src.handoff.configuration import ChannelRule, Image, history_bucket
from lambda_src.handoff.failures import Unfinished
from lambda_src.handoff.handler import respond
from lambda_src.handoff.history import History, Move
from lambda_src.handoff.holds import Hold
from lambda_src.handoff.known_builds import read_builds
from lambda_src.handoff.look import look
from lambda_src.handoff.moves import complete_moves, make_move
from lambda_src.handoff.outputs import Amis, Containers, Outputs
from lambda_src.handoff.run import Decision, Region, Report, Run, Target
from tests.support.memory_aws import ACCOUNT, Call, Cloud, digest_of

HOME, *ABROAD = REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:acme_web_handoff"
OPERATOR = "arn:aws:sts::000000000000:assumed-role/releaser/ann"
HAND = "arn:aws:iam::000000000000:user/bob"
REPOSITORY = "acme/web"


@dataclass(frozen=True)
class Result:
    """What one call of the function printed, and what it raised."""

    line: Mapping[str, Any]
    error: str

    @property
    def failures(self) -> list[str]:
        """What went wrong, of both kinds."""
        return [*self.line["problems"], *self.line["unfinished"]]


class MemoryWorld:
    """An image `web`; `container` makes it one of containers, whose channels hold digests."""

    def __init__(
        self,
        *,
        channels: Mapping[str, ChannelRule] | None = None,
        regions: Sequence[str] = REGIONS,
        container: bool = False,
        keep_newest: int = 0,
    ) -> None:
        self.cloud = Cloud()
        self.image = Image(
            namespace="acme",
            image="web",
            regions=tuple(regions),
            channels=channels or {},
            repository=REPOSITORY if container else "",
            architecture="" if container else "x86_64",
            keep_newest=keep_newest,
            pipeline_arn=f"arn:aws:imagebuilder:{regions[0]}:{ACCOUNT}:image-pipeline/acme-web",
        )
        self.container = container
        self.bucket = history_bucket("acme", account=ACCOUNT, region=regions[0])
        self.cloud.buckets[self.bucket] = {}
        self.path = channel_path(namespace="acme", image="web")
        self._number = 0
        self._values: dict[str, dict[str, str]] = {}

    # What AWS has.

    @property
    def now(self) -> datetime:
        """The time."""
        return self.cloud.now

    def later(self, **duration: float) -> None:
        """Let time pass."""
        self.cloud.now += timedelta(**duration)

    def build(self, *, regions: Iterable[str] | None = None, status: str = "AVAILABLE") -> str:
        """A build that ends now; its ARN."""
        self._number += 1
        home = self.image.pipeline_arn.split(":")[3]
        arn = f"arn:aws:imagebuilder:{home}:{ACCOUNT}:image/acme-web/1.0.7/{self._number}"
        went_to = [region for region in self.image.regions if regions is None or region in regions]
        outputs: dict[str, Any] = {}
        self._values[arn] = {}
        for region in went_to if status == "AVAILABLE" else ():
            if self.container:
                uri = f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/{REPOSITORY}:1.0.7-{self._number}"
                self._values[arn][region] = f"{uri.rpartition(':')[0]}@{digest_of(uri)}"
                outputs.setdefault("containers", []).append({"region": region, "imageUris": [uri]})
                described: dict[str, Any] = {"imageDigest": digest_of(uri), "imageTags": [uri.rpartition(":")[2]]}
            else:
                ami = self._values[arn][region] = f"ami-{self._number:06d}{self.image.regions.index(region):02d}"
                outputs.setdefault("amis", []).append({"region": region, "image": ami, "accountId": ACCOUNT})
                described = {"ImageId": ami, "OwnerId": ACCOUNT, "Architecture": "x86_64", "State": "available"}
                described["Tags"] = []
            self.cloud.images[region, self._values[arn][region]] = described
        self.cloud.builds[arn] = {
            "arn": arn,
            "state": {"status": status},
            "sourcePipelineArn": self.image.pipeline_arn,
            "dateCreated": self.now.isoformat(),
            "imageRecipe": {"parentImage": "ami-parent"},
            "outputResources": outputs,
            "tags": {},
        }
        return arn

    def delete(self, arn: str) -> None:
        """Delete a build in Image Builder. Its outputs stay."""
        del self.cloud.builds[arn]

    def values(self, arn: str) -> dict[str, str]:
        """What channels that point to a build hold, by region; also where it is gone."""
        return self._values[arn]

    def withdraw(self, arn: str, region: str) -> None:
        """Deregister a build's AMI, or delete its container image."""
        del self.cloud.images[region, self._values[arn][region]]

    def revoke(self, arn: str, *, at: datetime | None = None, why: str = "bad") -> None:
        """Tag a build as revoked."""
        self.cloud.builds[arn]["tags"][REVOKED_TAG] = f"{(at or self.now).isoformat()} {why}"

    def undo_revocation(self, arn: str) -> None:
        """Take the tag away."""
        del self.cloud.builds[arn]["tags"][REVOKED_TAG]

    def hold(self, channel: str = "", *, until: datetime | None = None, held: bool = True) -> None:
        """Hold a channel or, by default, all of them; or end that."""
        value = Hold(held=held, by=OPERATOR, why="year end", until=until.isoformat() if until else None).to_json()
        self._put(self.image.regions[0], f"_hold-{channel}" if channel else "_hold", value, user=OPERATOR)

    def by_hand(self, region: str, channel: str, value: str, *, description: str | None = None) -> None:
        """Write a channel's parameter as a person does; without a description it keeps the one before."""
        self._put(region, channel, value, user=HAND, description=description)

    def _put(self, region: str, name: str, value: str, *, user: str, description: str | None = None) -> None:
        hold = name.startswith("_")
        self.cloud.client("ssm", region=region, user=user).put_parameter(
            Name=f"{self.path}/{name}",
            Value=value,
            Type="String",
            DataType="text" if hold or self.container else "aws:ec2:image",
            Overwrite=True,
            **({} if description is None else {"Description": description}),
        )

    def versions(self, channel: str, region: str = "") -> list[dict[str, Any]]:
        """The versions of a channel's parameter, oldest first; by default at home."""
        return self.cloud.parameters.get((region or self.image.regions[0], f"{self.path}/{channel}"), [])

    def value(self, channel: str, region: str = "") -> str | None:
        """What a channel's parameter holds."""
        versions = self.versions(channel, region)
        return str(versions[-1]["Value"]) if versions else None

    def points_to(self, channel: str) -> dict[str, str | None]:
        """What a channel holds, by region."""
        return {region: self.value(channel, region) for region in self.image.regions}

    def record(self, channel: str, region: str = "") -> dict[str, Any]:
        """The record of a channel's present version."""
        found: dict[str, Any] = json.loads(self.versions(channel, region)[-1]["Description"])
        return found

    def moves(self) -> list[Move]:
        """The history."""
        objects = sorted(self.cloud.buckets[self.bucket].items())
        return [Move.from_json(body.decode()) for key, body in objects if key.startswith("moves/web/")]

    # Who moves channels.

    def run(self, *, by: str = FUNCTION, seconds_left: Callable[[], float] = lambda: math.inf) -> Result:
        """A run of the function, which prints one line."""
        output, error = io.StringIO(), ""
        with redirect_stdout(output):
            try:
                respond(
                    None,
                    image=self.image,
                    imagebuilder=self.cloud.client("imagebuilder", region=self.image.regions[0], user=by),
                    targets=self._targets(by),
                    history=self._history(by),
                    by=by,
                    now=self.now,
                    confirm_within_seconds=0.0,
                    seconds_left=seconds_left,
                )
            except Unfinished as unfinished:
                error = str(unfinished)
        return Result(json.loads(output.getvalue()), error)

    def promote(self, channel: str, arn: str, *, how: str = "promoted", by: str = OPERATOR) -> bool:
        """Move a channel as a command does, with the function's own code; whether it was moved.

        It is refused while it is held, when the build is not good, and unless all regions can be asked and have it.
        """
        for _ in range(3):
            run = self.person(by)
            if not look(run) or run.hold_of(channel):
                return False
            with run.failures.collected("Image Builder") as attempt:
                known = read_builds(run)
            if attempt.failed:
                return False
            complete_moves(run, known, at_once=True)
            good = [build for build in good_builds(known.builds, now=run.now) if build.arn == arn]
            outputs = {}
            for region in run.regions:
                with run.attempt_in(region):
                    outputs[region] = region.target.outputs.newest_usable(good, failures=run.failures)
            usable = {region: output for region, output in outputs.items() if output}
            if len(usable) < len(run.regions) or any(region.failed for region in run.regions):
                return False
            if make_move(run, Decision(channel=channel, how=how, why="because", outputs=usable)):
                return True
        return False

    def person(self, by: str = OPERATOR) -> Run:
        """What a command begins with."""
        run = Run(
            image=self.image,
            imagebuilder=self.cloud.client("imagebuilder", region=self.image.regions[0], user=by),
            regions=tuple(map(Region, self._targets(by))),
            history=self._history(by),
            by=by,
            now=self.now,
            seconds_left=lambda: math.inf,
            confirm_within_seconds=0.0,
            report=Report(),
        )
        run.cache.take(read_cache(run.history, run.failures) or Cache())
        return run

    def _history(self, user: str) -> History:
        s3 = self.cloud.client("s3", region=self.image.regions[0], user=user)
        return History(s3, self.bucket, ACCOUNT, self.image.image)

    def _targets(self, user: str) -> list[Target]:
        ssm = {region: self.cloud.client("ssm", region=region, user=user) for region in self.image.regions}
        return [Target(region, self._outputs(region, user), ssm[region]) for region in self.image.regions]

    def _outputs(self, region: str, user: str) -> Outputs:
        if self.container:
            return Containers(self.cloud.client("ecr", region=region, user=user), region, REPOSITORY)
        return Amis(self.cloud.client("ec2", region=region, user=user), region, "x86_64")

    # What goes wrong.

    @contextmanager
    def disturbed(
        self,
        *,
        before: Callable[[Call], None] = lambda call: None,
        after: Callable[[Call], None] = lambda call: None,
    ) -> Iterator[None]:
        """Let something happen before and after each call meanwhile."""
        self.cloud.before, self.cloud.after = before, after
        try:
            yield
        finally:
            self.cloud.before, self.cloud.after = lambda call: None, lambda call: None
