"""The basis of the hand-off's tests: an image of its own for each test, the events, and faults of AWS, which botocore's
own events add between a real client and the wire."""

from __future__ import annotations

import io
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from typing import Any, ClassVar, Literal

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from lambda_src.handoff.channels import Channel, read_channels
from lambda_src.handoff.configuration import Image, history_bucket
from lambda_src.handoff.failures import Unfinished
from lambda_src.handoff.handler import respond
from lambda_src.handoff.history import History
from lambda_src.handoff.outputs import Amis, Containers, Outputs
from lambda_src.handoff.run import Publish, Target
from local_aws.server import LocalAws

REGIONS = ("us-east-1", "eu-west-1")
HOME, ABROAD = REGIONS
ACCOUNT = "000000000000"
BY = "arn:aws:lambda:us-east-1:000000000000:function:acme_web_handoff"
COMPONENT = "arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x"
PARENT = "arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x"
SCHEDULE = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "resources": [], "detail": {}}
ONE_TRY = Config(retries={"mode": "standard", "total_max_attempts": 1})

# One session, because each one loads AWS's service models again.
_session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Run:
    """What one call of the function printed, and what it raised."""

    line: Mapping[str, Any]
    error: str


class ImageWorld:
    """An image with its pipeline, and the function's clients, in which a test can put faults.

    `registry` has those for what keeps the outputs, by region.
    """

    keeper: ClassVar[Literal["ec2", "ecr"]] = "ec2"
    recipe_member: ClassVar[str] = "imageRecipeArn"

    def __init__(
        self,
        local_aws: LocalAws,
        *,
        parent: str = PARENT,
        config: Config = ONE_TRY,
        regions: Sequence[str] = REGIONS,
    ) -> None:
        self.aws = local_aws
        self.regions = tuple(regions)
        self.name = f"web-{next(_numbers)}"
        self.path = f"/imagebuilder/acme/{self.name}"
        url = local_aws.endpoint
        client = partial(_client, user="function", url=url, config=config)
        self.imagebuilder = client("imagebuilder", HOME)
        self.registry = {region: client(self.keeper, region) for region in self.regions}
        self.targets = [Target(region, self._outputs(region), ssm=client("ssm", region)) for region in self.regions]
        # What a test does with these meets no fault.
        self.other_imagebuilder = _client("imagebuilder", HOME, user="test", url=url)
        self.other_ssm = {region: _client("ssm", region, user="test", url=url) for region in self.regions}
        self.other_history = made_history(local_aws, image=self.name, region=HOME)
        self.history = replace(self.other_history, s3=client("s3", HOME))
        self.recipe = {"name": f"acme_{self.name}", "parentImage": parent}
        self.pipeline = self._create_pipeline()
        self.image = Image(
            namespace="acme",
            image=self.name,
            regions=self.regions,
            tags={"team": "platform"},
            pipeline_arn=self.pipeline["imagePipelineArn"],
        )

    def _create_pipeline(self) -> dict[str, str]:
        try:
            _client("iam", HOME, user="test", url=self.aws.endpoint).create_instance_profile(
                InstanceProfileName="acme_builder"
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "EntityAlreadyExists", "an earlier test made it"
        name = str(self.recipe["name"])
        infrastructure = self.other_imagebuilder.create_infrastructure_configuration(
            name=name, instanceProfileName="acme_builder"
        )
        distribution = self.other_imagebuilder.create_distribution_configuration(
            name=name, distributions=[{"region": region, **self._distribution()} for region in self.regions]
        )
        pipeline = {
            "infrastructureConfigurationArn": infrastructure["infrastructureConfigurationArn"],
            "distributionConfigurationArn": distribution["distributionConfigurationArn"],
        }
        created = self.other_imagebuilder.create_image_pipeline(
            name=name, **{self.recipe_member: self._create_recipe("1.0.7")}, **pipeline
        )
        return {"imagePipelineArn": created["imagePipelineArn"], **pipeline}

    def _outputs(self, region: str) -> Outputs:
        return Amis(self.registry[region], region, "x86_64")

    def _distribution(self) -> dict[str, Any]:
        return {"amiDistributionConfiguration": {"name": f"acme.{self.name}.{{{{ imagebuilder:buildDate }}}}"}}

    def _create_recipe(self, version: str) -> str:
        recipe = self.other_imagebuilder.create_image_recipe(
            **self.recipe, semanticVersion=version, components=[{"componentArn": COMPONENT}]
        )
        return str(recipe["imageRecipeArn"])

    def abroad(self, service: str) -> Any:
        """The client of a service abroad."""
        return self.targets[1].ssm if service == "ssm" else self.registry[ABROAD]

    def change_recipe(self, version: str) -> None:
        """As Terraform does when the content changes: a new recipe version, the pipeline updated in place."""
        recipe = {self.recipe_member: self._create_recipe(version)}
        self.other_imagebuilder.update_image_pipeline(**self.pipeline, **recipe)

    def build(self, *, fail: bool = False) -> str:
        """Run the pipeline to its end; the build's ARN."""
        if fail:
            self.aws.fail_next_build(at="TESTING")
        started = self.other_imagebuilder.start_image_pipeline_execution(imagePipelineArn=self.image.pipeline_arn)
        arn = str(started["imageBuildVersionArn"])
        while self.details(arn)["state"]["status"] not in ("AVAILABLE", "FAILED"):
            time.sleep(0.02)
        return arn

    def details(self, arn: str) -> dict[str, Any]:
        """GetImage."""
        image: dict[str, Any] = self.other_imagebuilder.get_image(imageBuildVersionArn=arn)["image"]
        return image

    def amis(self, arn: str) -> dict[str, str]:
        """A build's AMIs by region."""
        return {ami["region"]: ami["image"] for ami in self.details(arn)["outputResources"]["amis"]}

    def values(self, arn: str) -> dict[str, str]:
        """What channels that point to a build hold, by region."""
        return self.amis(arn)

    def withdraw(self, region: str, value: str) -> None:
        """Take away what a channel's value means."""
        self.registry[region].deregister_image(ImageId=value)

    def tags(self, arn: str) -> dict[str, str]:
        """A build's tags."""
        return dict(self.details(arn)["tags"])

    def channels(self, region: str) -> dict[str, Channel]:
        """The channels of a region as a person's commands read them."""
        return read_channels(self.other_ssm[region], path=self.path)

    def write_latest(self, region: str, *, value: str, record: object) -> None:
        """Move `latest` by hand; a record that is no text is written as JSON."""
        self.other_ssm[region].put_parameter(
            Name=f"{self.path}/latest",
            Value=value,
            Type="String",
            DataType="aws:ec2:image",
            Description=record if isinstance(record, str) else json.dumps(record),
            Overwrite=True,
        )

    def latest(self) -> dict[str, str]:
        """Where `latest` points, by region."""
        found = {region: self.channels(region) for region in self.regions}
        return {region: channels["latest"].value for region, channels in found.items() if "latest" in channels}

    def run(
        self,
        event: object = None,
        *,
        confirm_within_seconds: float = 0.25,
        seconds_left: Callable[[], float] = lambda: 300.0,
        now: datetime | None = None,
        publish: Publish | None = None,
    ) -> Run:
        """Call the function with a message, the schedule's event (None) or anything else; it prints one line."""
        output, error = io.StringIO(), ""
        with redirect_stdout(output):
            try:
                respond(
                    SCHEDULE if event is None else event,
                    image=self.image,
                    imagebuilder=self.imagebuilder,
                    targets=self.targets,
                    history=self.history,
                    by=BY,
                    publish=publish,
                    now=now,
                    confirm_within_seconds=confirm_within_seconds,
                    seconds_left=seconds_left,
                )
            except Unfinished as unfinished:
                error = str(unfinished)
        lines = output.getvalue().splitlines()
        assert len(lines) == 1, "one line for each call"
        return Run(line=json.loads(lines[0]), error=error)

    def message(self, arn: str, *, status: str = "AVAILABLE") -> dict[str, Any]:
        """What SNS sends to the function about a build."""
        return sns_event(json.dumps(documented_message(arn, pipeline=self.image.pipeline_arn, status=status)))


def made_history(local_aws: LocalAws, *, image: str, region: str, namespace: str = "acme") -> History:
    """The history of an image, in a bucket that is made when there is none."""
    bucket = history_bucket(namespace, account=ACCOUNT, region=region)
    s3 = _client("s3", region, user="test", url=local_aws.endpoint)
    place: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with suppress(ClientError):  # an earlier test made it
        s3.create_bucket(Bucket=bucket, **place)
    return History(s3, bucket, ACCOUNT, image)


class ContainerImageWorld(ImageWorld):
    """The same for an image that is a container; its builds are tagged `newest`, too, which moves."""

    keeper = "ecr"
    recipe_member = "containerRecipeArn"

    def __init__(self, local_aws: LocalAws, *, repository: str | None = None, config: Config = ONE_TRY) -> None:
        self._given = repository
        super().__init__(local_aws, parent="amazonlinux:2023", config=config)

    @property
    def repository(self) -> str:
        """Its repository in every region."""
        return self._given or f"acme/{self.name}"

    def _outputs(self, region: str) -> Outputs:
        with suppress(self.registry[region].exceptions.RepositoryAlreadyExistsException):
            self.registry[region].create_repository(repositoryName=self.repository)
        return Containers(self.registry[region], region, self.repository)

    def _distribution(self) -> dict[str, Any]:
        target = {"service": "ECR", "repositoryName": self.repository}
        return {"containerDistributionConfiguration": {"containerTags": ["newest"], "targetRepository": target}}

    def _create_recipe(self, version: str) -> str:
        recipe = self.other_imagebuilder.create_container_recipe(
            **self.recipe,
            containerType="DOCKER",
            semanticVersion=version,
            components=[{"componentArn": COMPONENT}],
            dockerfileTemplateData="FROM {{{ imagebuilder:parentImage }}}\n"
            "{{{ imagebuilder:environments }}}\n{{{ imagebuilder:components }}}",
            targetRepository={"service": "ECR", "repositoryName": self.repository},
        )
        return str(recipe["containerRecipeArn"])

    def uris(self, arn: str) -> dict[str, str]:
        """A build's container images by region, by the tag with their version."""
        containers = self.details(arn)["outputResources"]["containers"]
        return {each["region"]: each["imageUris"][-1] for each in containers}

    def values(self, arn: str) -> dict[str, str]:
        """What channels that point to a build hold, by region, where its images are still there."""
        found = {}
        for region, uri in self.uris(arn).items():
            name, _, tag = uri.rpartition(":")
            ids = [{"imageTag": tag}]
            for image in self.registry[region].batch_get_image(repositoryName=self.repository, imageIds=ids)["images"]:
                found[region] = f"{name}@{image['imageId']['imageDigest']}"
        return found

    def withdraw(self, region: str, value: str) -> None:
        ids = [{"imageDigest": value.partition("@")[2]}]
        self.registry[region].batch_delete_image(repositoryName=self.repository, imageIds=ids)


@cache
def _client(service: str, region: str, *, user: str, url: str, config: Config = ONE_TRY) -> Any:
    """The client of the function, in which a test can put faults, or of the test. All images share it, because to make
    one costs more than what most tests do with it."""
    return _session.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=url,
        config=config,
    )


def sns_event(*bodies: object) -> dict[str, Any]:
    """The event in which Lambda passes on messages of SNS."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": "arn:aws:sns:us-east-1:000000000000:acme_web:11111111-2222-3333",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": "66666666-7777-8888-9999-000000000000",
                    "TopicArn": "arn:aws:sns:us-east-1:000000000000:acme_web",
                    "Subject": None,
                    "Message": body,
                    "Timestamp": "2026-07-28T01:14:17.416Z",
                    "SignatureVersion": "1",
                    "Signature": "c2lnbmF0dXJl",
                    "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
                    "UnsubscribeUrl": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
                    "MessageAttributes": {},
                },
            }
            for body in bodies
        ]
    }


def documented_message(arn: str, *, pipeline: str, status: str = "AVAILABLE") -> dict[str, Any]:
    """Image Builder's message, with the members that its user guide documents ("SNS message format")."""
    versionless, version, build = arn.rsplit("/", 2)
    name = versionless.rpartition("/")[2]
    account = arn.split(":")[4]
    return {
        "versionlessArn": versionless,
        "semver": 1237940039285380274899124227,
        "arn": arn,
        "name": name,
        "version": version,
        "type": "AMI",
        "buildVersion": int(build),
        "state": {"status": status} | ({"reason": "Image Failure reason."} if status == "FAILED" else {}),
        "platform": "Linux",
        "imageRecipe": {"arn": arn.replace(":image/", ":image-recipe/"), "name": name, "parentImage": PARENT},
        "sourcePipelineArn": pipeline,
        "infrastructureConfiguration": {"name": name, "terminateInstanceOnFailure": True, "accountId": account},
        "imageTestsConfigurationDocument": {"imageTestsEnabled": True, "timeoutMinutes": 720},
        "distributionConfiguration": {"name": name, "dateCreated": "Feb 24, 2021 12:31:56 AM"},
        "dateCreated": "Jul 28, 2022 1:13:45 AM",
        "outputResources": {"amis": []},
        "accountId": account,
        "enhancedImageMetadataEnabled": True,
        "buildType": "SCHEDULED",
        "tags": {"resourceArn": arn},
    }


@contextmanager
def intercepted(
    client: Any, operation: str, answer: Callable[[], AWSResponse | None] = lambda: None
) -> Iterator[list[str]]:
    """Let `answer` reply to this client's operation in AWS's place, raise as the network does, or return None to pass
    the request on. Yields the bodies of the requests so far."""
    bodies: list[str] = []

    def intercept(request: Any, **_: object) -> AWSResponse | None:
        body = request.body or b""
        body = body.getvalue() if isinstance(body, io.BytesIO) else body
        bodies.append(body if isinstance(body, str) else body.decode())
        return answer()

    event = f"before-send.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    client.meta.events.register(event, intercept)
    try:
        yield bodies
    finally:
        client.meta.events.unregister(event, intercept)


@contextmanager
def asked(*clients: Any) -> Iterator[list[str]]:
    """The names of the operations that these clients ask for meanwhile, once for each call."""
    operations: list[str] = []

    def note(model: Any, **_: object) -> None:
        operations.append(model.name)

    for client in clients:
        client.meta.events.register("before-call.*.*", note)
    try:
        yield operations
    finally:
        for client in clients:
            client.meta.events.unregister("before-call.*.*", note)


@contextmanager
def retold(client: Any, operation: str, change: Callable[[Any], None]) -> Iterator[None]:
    """Let `change` alter what AWS answered to this client's operation before the client returns it."""

    def alter(parsed: Any, **_: object) -> None:
        change(parsed)

    event = f"after-call.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    client.meta.events.register(event, alter)
    try:
        yield
    finally:
        client.meta.events.unregister(event, alter)
