"""Image Builder over HTTP."""

import asyncio

from local_aws.asgi import Answer, Receive, Scope, Send, read_body, region_and_service, send_answer
from local_aws.errors import AwsError
from local_aws.image_builder.operations import ImageBuilder
from local_aws.image_builder.service_model import ServiceModel
from local_aws.ministack.callers import Callers


class ImageBuilderApp:
    """An ASGI app for requests to Image Builder."""

    def __init__(self, image_builder: ImageBuilder, *, callers: Callers) -> None:
        self._image_builder = image_builder
        self._callers = callers
        self._model = ServiceModel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        body = await read_body(receive)
        account = await self._callers.account(scope)
        # in a thread, because Image Builder asks other services, which this event loop serves
        await send_answer(send, await asyncio.to_thread(self._answer, scope, body, account))

    def _answer(self, scope: Scope, body: bytes, account: str) -> Answer:
        region, _ = region_and_service(scope)
        try:
            operation, params = self._model.parse(
                method=scope["method"], path=scope["path"], query=scope["query_string"].decode(), body=body
            )
            result = self._image_builder.answer(operation=operation, params=params, account=account, region=region)
            return self._model.answer(operation=operation, result=result)
        except AwsError as error:
            return self._model.refusal(error)
