"""Answers of AWS, for tests that answer in its place."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders


def answered(body: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None) -> AWSResponse:
    """AWS's answer in JSON, as Parameter Store and Image Builder give it."""
    return sent(json.dumps(body).encode(), status=status, headers=headers)


def sent(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> AWSResponse:
    """These bytes, as an answer."""
    return AWSResponse("https://aws.test/", status, HTTPHeaders.from_dict(dict(headers or {})), _Raw(body))


def refused(code: str, *, status: int = 400, message: str = "no") -> AWSResponse:
    """AWS's refusal in JSON."""
    return answered({"__type": code, "message": message}, status=status, headers={"x-amzn-ErrorType": code})


def refused_by_ec2(code: str, *, status: int) -> AWSResponse:
    """EC2's refusal, in XML."""
    error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    body = f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"
    return sent(body.encode(), status=status)


class _Raw(io.BytesIO):
    """What botocore reads a body from."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.getvalue()
