"""EC2: ministack's, corrected and completed.

`Ec2` has a case for each action that ministack does not have, or answers differently from EC2. All other requests and
their answers are passed on unchanged. An answer that lacks something is parsed once, completed, and written once.
"""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from local_aws.asgi import Answer, App, Receive, Scope, Send, read_body, send_answer
from local_aws.auto_scaling.groups import Instance
from local_aws.clients import Clients
from local_aws.errors import AwsError
from local_aws.ministack import launch_templates
from local_aws.ministack.amis import Amis
from local_aws.ministack.callers import Callers
from local_aws.ministack.described_images import DescribedImages
from local_aws.ministack.group_instances import describe_instances
from local_aws.ministack.launch_templates import LaunchTemplates
from local_aws.ministack.query_api import Query, changed, parsed, xml_answer
from local_aws.ministack.snapshot_imports import SnapshotImports
from local_aws.ministack.tags import check_new_tags, delete_tags

_FOR_OWNERS = (
    *("DeregisterImage", "DisableImage", "DisableImageDeprecation", "EnableImage", "EnableImageDeprecation"),
    *("ModifyImageAttribute", "ResetImageAttribute"),
)
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


class Ec2:
    """An ASGI app in front of ministack, for requests to EC2. `instances` are those of Auto Scaling groups."""

    def __init__(
        self,
        *,
        app: App,
        callers: Callers,
        amis: Amis,
        images: DescribedImages,
        instances: Mapping[tuple[str, str], Instance],
        clients: Clients,
    ) -> None:
        self._app = app
        self._callers = callers
        self._amis = amis
        self._images = images
        self._instances = instances
        self._imports = SnapshotImports(clients=clients)
        self._templates = LaunchTemplates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        query = Query(self._app, scope, await read_body(receive))
        try:
            answer = await self._answer(query, await self._callers.account(scope))
        except AwsError as error:
            refusal = {"Errors": {"Error": {"Code": error.code, "Message": error.message}}, "RequestID": uuid.uuid4()}
            answer = xml_answer("Response", refusal, status=400)
        await send_answer(send, answer)

    async def _answer(self, query: Query, account: str) -> Answer:
        if query.action in _FOR_OWNERS:
            self._amis.check_owner(query.parameters["ImageId"], account=account)
        match query.action:
            case "RegisterImage":
                return self._register_image(query, await query.answer(), account=account)
            case "DescribeImages":
                return await self._images.answer(query, account=account)
            case "RunInstances" if "ImageId" in query.parameters:
                await self._images.check(query, [query.parameters["ImageId"]], account=account)
                return await query.answer()
            case "DescribeImageAttribute" if query.parameters.get("Attribute") == "launchPermission":
                return changed(await query.answer(), lambda root: self._amis.complete_permissions(root, query))
            case "ModifyImageAttribute" if self._amis.share_with_organizations(query.parameters):
                return _answer(query, {"return": True})
            case "EnableImageDeprecation" | "DisableImageDeprecation" | "EnableImage" | "DisableImage":
                await self._images.check(query, [query.parameters["ImageId"]], account=account)
                if query.action == "DisableImage":
                    await _unshare(query)
                self._amis.change_state(query.parameters)
                return _answer(query, {"return": True})
            case "GetImageAncestry":
                await self._images.check(query, [query.parameters["ImageId"]], account=account)
                entries = self._amis.ancestry(query.parameters["ImageId"], region=query.region)
                return _answer(query, {"imageAncestryEntrySet": entries})
            case "CreateTags":
                await check_new_tags(query, images=self._images, account=account)
                return await query.answer()
            case "DeleteTags":
                await delete_tags(query, images=self._images, account=account)
                return _answer(query, {"return": True})
            case "EnableFastLaunch":
                return _answer(query, self._amis.enable_fast_launch(query, account=account))
            case "DescribeFastLaunchImages":
                return _answer(query, {"fastLaunchImageSet": self._amis.fast_launches(query)})
            case "ImportSnapshot":
                # in a thread, because it asks EC2, IAM and S3, which this event loop serves
                return _answer(query, await asyncio.to_thread(self._imports.start, query, account))
            case "DescribeImportSnapshotTasks":
                return _answer(query, {"importSnapshotTaskSet": self._imports.tasks(query, account)})
            case "CreateLaunchTemplate":
                return await self._templates.create(query)
            case "CreateLaunchTemplateVersion":
                return await self._templates.create_version(query)
            case "DescribeLaunchTemplateVersions":
                return await self._templates.describe_versions(query)
            case "DescribeLaunchTemplates":
                return await launch_templates.describe(query)
            case "DescribeInstances":
                return await describe_instances(query, account, self._instances)
            case _:
                return await query.answer()

    def _register_image(self, query: Query, answer: Answer, *, account: str) -> Answer:
        if answer.status == 200:
            self._amis.register(parsed(answer).findtext("{*}imageId", ""), query.parameters, account=account)
        return answer


async def _unshare(query: Query) -> None:
    ami = query.parameters["ImageId"]
    reset = {"Action": "ResetImageAttribute", "ImageId": ami, "Attribute": "launchPermission"}
    await query.asking(reset).answer()


def _answer(query: Query, content: Mapping[str, Any]) -> Answer:
    request = {"requestId": str(uuid.uuid4())}
    return xml_answer(f"{query.action}Response", {**request, **content}, namespace=_NAMESPACE)
