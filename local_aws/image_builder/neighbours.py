"""The other services that Image Builder itself uses: EC2, ECR, IAM, Inspector, S3, SNS and Systems Manager.

Image Builder reaches them as any client does, through boto3, and does not rely on the insides of ministack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_aws.callers import Caller
from local_aws.clients import Clients, succeeds
from local_aws.ministack.amis import Amis
from local_aws.organizations import Organizations
from local_aws.trust import check_trust, trust_policy, trusts_import_and_export, trusts_service

_SERVICE_LINKED_ROLE = "AWSServiceRoleForImageBuilder"


@dataclass(frozen=True, kw_only=True)
class NewAmi:
    """An AMI to register, with a snapshot of its own for each EBS volume."""

    name: str
    description: str
    architecture: str
    platform: str
    root_device_name: str
    source: tuple[str, str]
    """Region and ID of the AMI that this one is made from."""
    block_devices: Sequence[Mapping[str, Any]] = ()
    """In Image Builder's form (deviceName, ebs)."""
    encrypted: bool = False
    """Whether its volumes are encrypted, all of them."""
    kms_key: str | None = None
    """The ARN of the key, if it is not AWS's own."""
    tags: Mapping[str, str]
    """Of the AMI and, in the account that builds it, its snapshots."""


class Neighbours:
    """What Image Builder asks of other services of an account. `region` is the region that is asked.

    `amis` keeps what RegisterImage has no parameters for.
    """

    def __init__(self, account: str, *, clients: Clients, amis: Amis, organizations: Organizations) -> None:
        self.account = account
        self._clients = clients
        self._amis = amis
        self._organizations = organizations

    def of(self, account: str) -> Neighbours:
        """The services of an account."""
        return Neighbours(account, clients=self._clients, amis=self._amis, organizations=self._organizations)

    def in_account(self, account: str, *, role: str, region: str, execution_role: str | None = None) -> Neighbours:
        """The services of an account, which Image Builder reaches by a role there if it is not this one.

        It assumes the role as the execution role, or as its service-linked role. Raises AccessDenied if the role does
        not exist or does not trust it.
        """
        there = self.of(account)
        if account != self.account:
            own = execution_role.rpartition("/")[2] if execution_role else _SERVICE_LINKED_ROLE
            path = "" if execution_role else "aws-service-role/imagebuilder.amazonaws.com/"
            caller = Caller(
                account=self.account,
                arn=f"arn:aws:sts::{self.account}:assumed-role/{own}/Ec2ImageBuilderIntegrationService",
                principal=f"arn:aws:iam::{self.account}:role/{path}{own}",
                organization_path=self._organizations.path(self.account),
            )
            policy = trust_policy(self._clients("iam", region=region, account=account), role)
            check_trust(f"arn:aws:iam::{account}:role/{role}", policy=policy, caller=caller)
        return there

    def topic_exists(self, *, region: str, arn: str) -> bool:
        """Whether the SNS topic exists."""
        return succeeds(self._client("sns", region).get_topic_attributes, TopicArn=arn)

    def instance_profile_exists(self, *, region: str, name: str) -> bool:
        """Whether the IAM instance profile exists."""
        return succeeds(self._client("iam", region).get_instance_profile, InstanceProfileName=name)

    def is_scanned(self, kind: str, *, region: str) -> bool:
        """Whether Inspector scans a kind of resources of the account, `ec2` or `ecr`."""
        (account,) = self._client("inspector2", region).batch_get_account_status()["accounts"]
        return bool(account["resourceState"][kind]["status"] == "ENABLED")

    def repository_exists(self, *, region: str, name: str) -> bool:
        """Whether the ECR repository exists."""
        return succeeds(self._client("ecr", region).describe_repositories, repositoryNames=[name])

    def can_assume(self, role: str, *, region: str) -> bool:
        """Whether a role exists and lets Image Builder itself assume it; `role` is its name or ARN."""
        iam = self._client("iam", region)
        return trusts_service(iam, role, service="imagebuilder.amazonaws.com", account=self.account)

    def can_export(self, role: str, *, region: str) -> bool:
        """Whether a role exists and lets VM Import/Export assume it."""
        return trusts_import_and_export(self._client("iam", region), role, account=self.account, region=region)

    def ec2(self, *, region: str) -> Any:
        """EC2, for what distributions and lifecycle policies do to AMIs."""
        return self._client("ec2", region)

    def ecr(self, *, region: str) -> Any:
        """ECR, for what lifecycle policies do to container images."""
        return self._client("ecr", region)

    def push_container(self, *, region: str, repository: str, manifest: str, tags: Sequence[str]) -> list[str]:
        """Put a manifest into an ECR repository under each of the tags; gives a URI for each."""
        ecr = self._client("ecr", region)
        (described,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
        for tag in tags:
            ecr.put_image(
                repositoryName=repository,
                imageManifest=manifest,
                imageManifestMediaType="application/vnd.docker.distribution.manifest.v2+json",
                imageTag=tag,
            )
        return [f"{described['registryId']}.dkr.ecr.{region}.amazonaws.com/{repository}:{tag}" for tag in tags]

    def object_text(self, *, region: str, uri: str) -> str | None:
        """The text of the S3 object `s3://bucket/key`, or None if it does not exist."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            body = self._client("s3", region).get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError:
            return None
        return str(body.decode())

    def put_object(self, *, region: str, bucket: str, key: str, text: str) -> None:
        """Write an object to S3."""
        self._client("s3", region).put_object(Bucket=bucket, Key=key, Body=text.encode())

    def parameter_value(self, *, region: str, name: str) -> str | None:
        """The value of an SSM parameter, or None if it does not exist."""
        try:
            return str(self._client("ssm", region).get_parameter(Name=name)["Parameter"]["Value"])
        except ClientError:
            return None

    def ami(self, *, region: str, ami: str) -> Mapping[str, Any] | None:
        """An AMI as DescribeImages shows it, or None if it does not exist."""
        try:
            images = self._client("ec2", region).describe_images(ImageIds=[ami])["Images"]
        except ClientError:
            return None
        return images[0] if images else None

    def register_ami(self, new: NewAmi, *, region: str, tag_snapshots: bool) -> str:
        """Register an AMI; gives its ID."""
        ec2 = self._client("ec2", region)
        tags = [{"Key": key, "Value": value} for key, value in new.tags.items()]
        registered = ec2.register_image(
            Name=new.name,
            Description=new.description,
            Architecture=new.architecture,
            RootDeviceName=new.root_device_name,
            VirtualizationType="hvm",
            BlockDeviceMappings=[
                _with_snapshot(ec2, device, region=region, encrypted=new.encrypted, tags=tags if tag_snapshots else [])
                for device in new.block_devices
            ],
            TagSpecifications=[{"ResourceType": "image", "Tags": tags}],
        )
        ami = str(registered["ImageId"])
        self._amis.set_origin(ami, platform=new.platform, source=new.source, kms_key=new.kms_key)
        return ami

    def publish(self, *, region: str, topic: str, message: str) -> bool:
        """Publish to an SNS topic; False if SNS refuses, which does not fail a build."""
        return succeeds(self._client("sns", region).publish, TopicArn=topic, Message=message)

    def _client(self, service: str, region: str) -> Any:
        return self._clients(service, region=region, account=self.account)


def _with_snapshot(
    ec2: Any, device: Mapping[str, Any], *, region: str, encrypted: bool, tags: list[dict[str, str]]
) -> dict[str, Any]:
    """A block device mapping of EC2's over a new snapshot."""
    ebs = device.get("ebs", {})
    size = ebs.get("volumeSize", 8)
    volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=size, Encrypted=encrypted)["VolumeId"]
    tagged = [{"ResourceType": "snapshot", "Tags": tags}] if tags else []
    snapshot = ec2.create_snapshot(VolumeId=volume, TagSpecifications=tagged)["SnapshotId"]
    ec2.delete_volume(VolumeId=volume)
    settings = {
        "SnapshotId": snapshot,
        "VolumeSize": size,
        "VolumeType": ebs.get("volumeType", "gp3"),
        "DeleteOnTermination": ebs.get("deleteOnTermination", True),
    }
    return {"DeviceName": device["deviceName"], "Ebs": settings}
