"""The public parameters that hold publishers' newest AMI IDs, of which ministack has two.

Requests to Parameter Store pass through; GetParameter is answered here for the paths that `public_images` knows.
"""

import json
from datetime import datetime

from local_aws.asgi import App, Receive, Scope, Send, giving, read_body, respond
from local_aws.image_builder.public_images import by_parameter

_GET = b"AmazonSSM.GetParameter"


class PublicParameters:
    """An ASGI app around another; only for requests to Parameter Store."""

    def __init__(self, *, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, region: str) -> None:
        """Answer, or pass on."""
        body = await read_body(receive)
        name = json.loads(body or b"{}").get("Name") if (b"x-amz-target", _GET) in scope["headers"] else None
        image = by_parameter(name, region=region) if name else None
        if image is None:
            await self._app(scope, giving(body), send)
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
        await respond(send, status=200, headers=headers, body=json.dumps({"Parameter": parameter}).encode())
