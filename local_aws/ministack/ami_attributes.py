"""What ministack's EC2 leaves out of AMIs: how they start, sharing with organizations, imports, and fast launch.

RegisterImage's boot mode and drivers are remembered and told by DescribeImages, because the AWS provider would replace
an AMI that lacks them. ImportSnapshot and EnableFastLaunch answer in the words of EC2's API reference; both are done at
once.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from local_aws.asgi import App, Receive, Scope, Send, answer_of, giving, read_body, send_answer
from local_aws.image_builder.arns import ACCOUNT
from local_aws.image_builder.dates import api_date
from local_aws.image_builder.neighbours import Neighbours
from local_aws.ministack.ec2_xml import add, refusal, response, send_xml, text

_REMEMBERED = {
    "BootMode": "bootMode",
    "EnaSupport": "enaSupport",
    "ImdsSupport": "imdsSupport",
    "SriovNetSupport": "sriovNetSupport",
}
_PERMISSIONS = {"OrganizationArn": "organizationArn", "OrganizationalUnitArn": "organizationalUnitArn"}

_Asked = Mapping[str, str]


@dataclass
class _Known:
    """What is remembered of one AMI."""

    starts: dict[str, str] = field(default_factory=dict)
    permissions: dict[tuple[str, str], None] = field(default_factory=dict)
    fast_launch: str = ""


class AmiAttributes:
    """An ASGI app around another; only for requests to EC2."""

    def __init__(self, *, app: App, neighbours: Neighbours) -> None:
        self._app = app
        self._neighbours = neighbours
        self._amis: dict[str, _Known] = {}
        self._imports: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, region: str) -> None:
        """Answer what ministack does not know, put right what it tells of AMIs, and pass everything else on."""
        body = await read_body(receive)
        asked = {key: values[0] for key, values in parse_qs(body.decode(errors="replace")).items()}
        match asked.get("Action", ""):
            case "ImportSnapshot":
                # in a thread, because it asks EC2, IAM and S3, whom this very loop serves
                status, told = await asyncio.to_thread(self._import, asked, region)
                await send_xml(send, told, status=status)
            case "DescribeImportSnapshotTasks":
                tasks = [task for key, task in self._imports.items() if key in asked.values()]
                await send_xml(send, _result("DescribeImportSnapshotTasks", "importSnapshotTaskSet", tasks))
            case "EnableFastLaunch":
                known = self._amis.setdefault(asked["ImageId"], _Known())
                known.fast_launch = _fast_launch(asked)
                await send_xml(send, response("EnableFastLaunch", known.fast_launch))
            case "DescribeFastLaunchImages":
                found = [known.fast_launch for ami, known in self._amis.items() if ami in asked.values()]
                fast = [each for each in found if each]
                await send_xml(send, _result("DescribeFastLaunchImages", "fastLaunchImageSet", fast))
            case "ModifyImageAttribute" if self._remember_permissions(asked):
                await send_xml(send, response("ModifyImageAttribute", "<return>true</return>"))
            case _:
                answer = await answer_of(self._app, scope, giving(body))
                right = self._put_right(asked, answer.body) if answer.status == 200 else answer.body
                await send_answer(send, answer, body=right)

    def _import(self, asked: _Asked, region: str) -> tuple[int, str]:
        role = asked.get("RoleName", "vmimport")
        bucket, key = asked["DiskContainer.UserBucket.S3Bucket"], asked["DiskContainer.UserBucket.S3Key"]
        if not self._neighbours.role_exists(region=region, arn=role):
            # the AWS provider waits for a new role by these words
            problem = f"The service role {role} provided does not exist or does not have sufficient permissions"
            return 400, refusal("InvalidParameter", problem)
        if not self._neighbours.object_exists(region=region, bucket=bucket, key=key):
            return 400, refusal("InvalidParameter", f"The object s3://{bucket}/{key} cannot be read.")
        description, encrypted = asked.get("Description", ""), asked.get("Encrypted") == "true"
        snapshot = self._neighbours.import_snapshot(region=region, description=description, encrypted=encrypted)
        task = f"import-snap-{uuid.uuid4().hex[:17]}"
        told = (
            f"<importTaskId>{task}</importTaskId><description>{escape(description)}</description><snapshotTaskDetail>"
            f"<diskImageSize>8589934592.0</diskImageSize><encrypted>{str(encrypted).lower()}</encrypted>"
            f"<format>{asked['DiskContainer.Format']}</format><progress>100</progress>"
            f"<snapshotId>{snapshot}</snapshotId><status>completed</status><userBucket><s3Bucket>{bucket}</s3Bucket>"
            f"<s3Key>{escape(key)}</s3Key></userBucket></snapshotTaskDetail>"
        )
        self._imports[task] = told
        return 200, response("ImportSnapshot", told)

    def _remember_permissions(self, asked: _Asked) -> bool:
        """Whether a request names organizations and nobody else, so that nothing is left for ministack."""
        theirs = {key: value for key, value in asked.items() if key.rpartition(".")[2] in _PERMISSIONS}
        known = self._amis.setdefault(asked["ImageId"], _Known())
        for key, value in theirs.items():
            entry = (_PERMISSIONS[key.rpartition(".")[2]], value)
            known.permissions.pop(entry, None)
            if key.startswith("LaunchPermission.Add."):
                known.permissions[entry] = None
        others = [key for key in asked if key.endswith((".UserId", ".Group"))]
        return bool(theirs) and not others

    def _put_right(self, asked: _Asked, body: bytes) -> bytes:
        match asked.get("Action"), asked.get("Attribute"):
            case "RegisterImage", _:
                (ami,) = (each.text or "" for each in ElementTree.fromstring(body).iterfind("{*}imageId"))
                starts = {_REMEMBERED[key]: value for key, value in asked.items() if key in _REMEMBERED}
                self._amis.setdefault(ami, _Known()).starts = starts
            case "DescribeImages", _:
                root = ElementTree.fromstring(body)
                for image in root.iterfind("{*}imagesSet/{*}item"):
                    known = self._amis.get(image.findtext("{*}imageId") or "", _Known())
                    for name, value in known.starts.items():
                        add(image, name, value)
                return text(root)
            case "DescribeImageAttribute", "launchPermission":
                root = ElementTree.fromstring(body)
                known = self._amis.get(asked["ImageId"], _Known())
                for entry in root.iterfind("{*}launchPermission"):
                    for name, value in known.permissions:
                        add(add(entry, "item"), name, value)
                return text(root)
        return body


def _fast_launch(asked: _Asked) -> str:
    template = ""
    if "LaunchTemplate.LaunchTemplateId" in asked:
        template = (
            f"<launchTemplate><launchTemplateId>{asked['LaunchTemplate.LaunchTemplateId']}</launchTemplateId>"
            f"<version>{asked.get('LaunchTemplate.Version', '')}</version></launchTemplate>"
        )
    return (
        f"<imageId>{asked['ImageId']}</imageId><resourceType>snapshot</resourceType><snapshotConfiguration>"
        f"<targetResourceCount>{asked.get('SnapshotConfiguration.TargetResourceCount', '5')}</targetResourceCount>"
        f"</snapshotConfiguration>{template}<maxParallelLaunches>{asked.get('MaxParallelLaunches', '6')}"
        f"</maxParallelLaunches><ownerId>{ACCOUNT}</ownerId><state>enabled</state>"
        f"<stateTransitionTime>{api_date()}</stateTransitionTime>"
    )


def _result(action: str, member: str, items: list[str]) -> str:
    return response(action, f"<{member}>{''.join(f'<item>{item}</item>' for item in items)}</{member}>")
