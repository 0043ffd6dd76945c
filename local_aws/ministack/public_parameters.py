"""The public parameters that hold the IDs of publishers' newest AMIs; ministack has only two of them."""

import json
from datetime import datetime

from local_aws.asgi import Answer, App, Receive, Scope, Send, read_body, region_and_service, send_answer, with_body
from local_aws.ministack.public_images import by_parameter

_GET = b"AmazonSSM.GetParameter"


class PublicParameters:
    """An ASGI app in front of another, for requests to Parameter Store."""

    def __init__(self, *, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GetParameter for the paths that `public_images` has, and pass everything else on."""
        body = await read_body(receive)
        region, _ = region_and_service(scope)
        name = json.loads(body or b"{}").get("Name") if (b"x-amz-target", _GET) in scope["headers"] else None
        image = by_parameter(name, region=region) if name else None
        if image is None:
            await self._app(scope, with_body(body), send)
            return
        parameter = {
            "Name": name,
            "Type": "String",
            "Value": image.ami(region),
            "Version": 1,
            "LastModifiedDate": datetime.fromisoformat(image.created).timestamp(),
            "ARN": f"arn:aws:ssm:{region}::parameter{name}",
            "DataType": "aws:ec2:image",
        }
        headers = {"content-type": "application/x-amz-json-1.1"}
        await send_answer(send, Answer(200, headers, json.dumps({"Parameter": parameter}).encode()))
