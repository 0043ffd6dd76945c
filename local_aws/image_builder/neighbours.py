"""The other services that Image Builder itself uses: EC2, ECR, IAM, S3 and SNS, at this server's own endpoint.

Image Builder reaches them as any client does, through boto3, so ministack's insides are not relied upon.
All calls block; they run in threads.
"""

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore.exceptions import ClientError

from local_aws.image_builder.arns import ACCOUNT
from local_aws.ministack.amis import WholeAmis


class Neighbours:
    """Clients for one endpoint; `region` is the region that is asked. `amis` is told what EC2's requests cannot say."""

    def __init__(self, *, endpoint: str, amis: WholeAmis) -> None:
        self._amis = amis
        self._endpoint = endpoint
        self._session = boto3.Session()
        self._client = functools.cache(self._new_client)
        self._lock = threading.Lock()

    def topic_exists(self, *, region: str, arn: str) -> bool:
        """Whether the SNS topic is there."""
        try:
            self._client("sns", region).get_topic_attributes(TopicArn=arn)
        except ClientError:
            return False
        return True

    def instance_profile_exists(self, *, region: str, name: str) -> bool:
        """Whether the IAM instance profile is there."""
        try:
            self._client("iam", region).get_instance_profile(InstanceProfileName=name)
        except ClientError:
            return False
        return True

    def repository_exists(self, *, region: str, name: str) -> bool:
        """Whether the ECR repository is there."""
        try:
            self._client("ecr", region).describe_repositories(repositoryNames=[name])
        except ClientError:
            return False
        return True

    def push_container(self, *, region: str, repository: str, manifest: str, tags: Sequence[str]) -> list[str]:
        """Put a manifest into an ECR repository under each of the tags; gives a URI for each."""
        ecr = self._client("ecr", region)
        (found,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
        for tag in tags:
            ecr.put_image(
                repositoryName=repository,
                imageManifest=manifest,
                imageManifestMediaType="application/vnd.docker.distribution.manifest.v2+json",
                imageTag=tag,
            )
        return [f"{found['registryId']}.dkr.ecr.{region}.amazonaws.com/{repository}:{tag}" for tag in tags]

    def role_exists(self, *, region: str, arn: str, account: str = ACCOUNT) -> bool:
        """Whether the IAM role is there; its name alone will do."""
        try:
            self._client("iam", region, account).get_role(RoleName=arn.rpartition("/")[2])
        except ClientError:
            return False
        return True

    def ec2(self, *, region: str, account: str = ACCOUNT) -> Any:
        """EC2, for all that distributions and lifecycle policies do to AMIs."""
        return self._client("ec2", region, account)

    def ecr(self, *, region: str) -> Any:
        """ECR, for all that lifecycle policies do to container images."""
        return self._client("ecr", region)

    def object_text(self, *, region: str, uri: str) -> str | None:
        """The text of the S3 object `s3://bucket/key`, or None where there is none."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            body = self._client("s3", region).get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError:
            return None
        return str(body.decode())

    def object_exists(self, *, region: str, bucket: str, key: str) -> bool:
        """Whether the object is there, text or not."""
        try:
            self._client("s3", region).head_object(Bucket=bucket, Key=key)
        except ClientError:
            return False
        return True

    def put_object(self, *, region: str, bucket: str, key: str, text: str) -> None:
        """Write an object to S3."""
        self._client("s3", region).put_object(Bucket=bucket, Key=key, Body=text.encode())

    def import_snapshot(self, *, region: str, description: str, encrypted: bool) -> str:
        """A new snapshot, as of a disk image; gives its ID."""
        ec2 = self._client("ec2", region)
        volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=8, Encrypted=encrypted)["VolumeId"]
        snapshot = ec2.create_snapshot(VolumeId=volume, Description=description)["SnapshotId"]
        ec2.delete_volume(VolumeId=volume)
        return str(snapshot)

    def parameter_value(self, *, region: str, name: str) -> str | None:
        """The value of an SSM parameter, or None where there is none."""
        try:
            return str(self._client("ssm", region).get_parameter(Name=name)["Parameter"]["Value"])
        except ClientError:
            return None

    def ami(self, *, region: str, ami: str) -> Mapping[str, Any] | None:
        """What DescribeImages says of an AMI, or None where it does not know it."""
        try:
            images = self._client("ec2", region).describe_images(ImageIds=[ami])["Images"]
        except ClientError:
            return None
        return images[0] if images else None

    def register_ami(
        self,
        *,
        region: str,
        name: str,
        description: str,
        architecture: str,
        platform: str,
        root_device_name: str,
        source: tuple[str, str],
        block_devices: Sequence[Mapping[str, Any]],
        tags: Mapping[str, str],
        encrypted: bool = False,
        account: str = ACCOUNT,
    ) -> str:
        """Register an AMI over a snapshot of its own for each EBS volume; gives the AMI's ID.

        `source` is the AMI that this one was made from: its region and ID. `block_devices` is in Image Builder's form
        (deviceName, ebs). `encrypted` holds for all volumes.
        """
        ec2 = self._client("ec2", region, account)
        tag_list = [{"Key": key, "Value": value} for key, value in tags.items()]
        mappings = []
        for device in block_devices:
            ebs = device.get("ebs", {})
            size = ebs.get("volumeSize", 8)
            volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=size, Encrypted=encrypted)["VolumeId"]
            snapshot = ec2.create_snapshot(
                VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": tag_list}]
            )["SnapshotId"]
            ec2.delete_volume(VolumeId=volume)
            settings = {
                "SnapshotId": snapshot,
                "VolumeSize": size,
                "VolumeType": ebs.get("volumeType", "gp3"),
                "DeleteOnTermination": ebs.get("deleteOnTermination", True),
            }
            mappings.append({"DeviceName": device["deviceName"], "Ebs": settings})
        registered = ec2.register_image(
            Name=name,
            Description=description,
            Architecture=architecture,
            RootDeviceName=root_device_name,
            VirtualizationType="hvm",
            BlockDeviceMappings=mappings,
            TagSpecifications=[{"ResourceType": "image", "Tags": tag_list}],
        )
        ami = str(registered["ImageId"])
        self._amis.describe(ami, platform=platform, source=source)
        return ami

    def publish(self, *, region: str, topic: str, message: str) -> bool:
        """Publish to the SNS topic; False where it refuses, which Image Builder does not let a build know."""
        try:
            self._client("sns", region).publish(TopicArn=topic, Message=message)
        except ClientError:
            return False
        return True

    def _new_client(self, service: str, region: str, account: str = ACCOUNT) -> Any:
        # ministack takes a key of twelve digits for the account
        credentials = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
        with self._lock:  # boto3 sessions are not for several threads at once, clients are
            return self._session.client(  # type: ignore[call-overload]
                service, region_name=region, endpoint_url=self._endpoint, **credentials
            )
