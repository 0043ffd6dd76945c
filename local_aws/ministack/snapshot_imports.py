"""ImportSnapshot, which ministack does not have: a disk image in a bucket becomes a snapshot, at once.

The refusal of a role has EC2's message: the AWS provider recognizes it, and waits for a new role.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from local_aws.clients import Clients, succeeds
from local_aws.errors import AwsError
from local_aws.ministack.query_api import Query
from local_aws.trust import trusts_import_and_export

_SIZE = 8  # GiB


class SnapshotImports:
    """All imports so far."""

    def __init__(self, *, clients: Clients) -> None:
        self._clients = clients
        self._tasks: dict[tuple[str, str], Mapping[str, Any]] = {}  # by account and ID

    def start(self, query: Query, account: str) -> Mapping[str, Any]:
        """Do ImportSnapshot; gives the content of the answer. Blocks, and raises `AwsError`."""
        region, disk = query.region, query.tree["DiskContainer"]
        bucket, key = disk["UserBucket"]["S3Bucket"], disk["UserBucket"]["S3Key"]
        role = query.parameters.get("RoleName", "vmimport")
        iam = self._clients("iam", region=region, account=account)
        if not trusts_import_and_export(iam, role, account=account, region=region):
            raise AwsError(
                code="InvalidParameter",
                message=f"The service role {role} provided does not exist or does not have sufficient permissions",
            )
        if not succeeds(self._clients("s3", region=region, account=account).head_object, Bucket=bucket, Key=key):
            raise AwsError(code="InvalidParameter", message=f"The object s3://{bucket}/{key} cannot be read.")
        description = query.parameters.get("Description", "")
        encrypted = query.parameters.get("Encrypted") == "true"
        task = f"import-snap-{uuid.uuid4().hex[:17]}"
        self._tasks[account, task] = {
            "importTaskId": task,
            "description": description,
            "snapshotTaskDetail": {
                "diskImageSize": float(_SIZE * 2**30),
                "encrypted": encrypted,
                "format": disk["Format"],
                "progress": 100,
                "snapshotId": self._snapshot(account, region=region, description=description, encrypted=encrypted),
                "status": "completed",
                "userBucket": {"s3Bucket": bucket, "s3Key": key},
            },
        }
        return self._tasks[account, task]

    def tasks(self, query: Query, account: str) -> list[Mapping[str, Any]]:
        """The items of a DescribeImportSnapshotTasks answer."""
        asked = [(account, task) for task in query.tree.get("ImportTaskId", ())]
        return [self._tasks[task] for task in asked if task in self._tasks]

    def _snapshot(self, account: str, *, region: str, description: str, encrypted: bool) -> str:
        ec2 = self._clients("ec2", region=region, account=account)
        volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=_SIZE, Encrypted=encrypted)["VolumeId"]
        snapshot = ec2.create_snapshot(VolumeId=volume, Description=description)["SnapshotId"]
        ec2.delete_volume(VolumeId=volume)
        return str(snapshot)
