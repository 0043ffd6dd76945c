"""Creation dates for AMIs, which ministack keeps but does not tell.

Without them `data.aws_ami` cannot say which of two AMIs is the newer. Requests to EC2 pass through here:
the AMI IDs that RegisterImage answers are remembered with the time, and DescribeImages answers get a
`creationDate` for each that is known.
"""

import re

from local_aws.asgi import App, Receive, Scope, Send, answer_of, send_answer
from local_aws.dates import api_date

_AMI_ID = re.compile(rb"<imageId>([^<]+)</imageId>")


class AmiDates:
    """An ASGI app around another; only for requests to EC2."""

    def __init__(self, *, app: App) -> None:
        self._app = app
        self._dates: dict[bytes, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer back with dates where they belong."""
        answer = await answer_of(self._app, scope, receive)
        body = answer.body
        if b"<RegisterImageResponse" in body:
            self._dates.update((ami, api_date()) for ami in _AMI_ID.findall(body))
        elif b"<DescribeImagesResponse" in body:
            body = _AMI_ID.sub(self._with_date, body)
        await send_answer(send, answer, body=body)

    def date(self, ami: str, date: str) -> None:
        """Let an AMI have been created at another time, in the API's form."""
        self._dates[ami.encode()] = date

    def _with_date(self, match: re.Match[bytes]) -> bytes:
        date = self._dates.get(match[1])
        return match[0] + (f"<creationDate>{date}</creationDate>".encode() if date else b"")
