"""S3: ministack's, with the owners that requests expect, and conditional writes that meet another.

ministack evaluates `If-Match` and `If-None-Match: *` itself. Added here, as in AWS's API reference and user guide:

- A request with `ExpectedBucketOwner` is refused if another account owns the bucket ("Verifying bucket ownership").
- A conditional write fails with ConditionalRequestConflict if another write or delete of the same key finishes while it
  is under way (PutObject). One that starts later fails with PreconditionFailed, and one with `If-Match` with NoSuchKey
  if the key was deleted ("Conditional write behavior").
- PutObject refuses every value of `If-None-Match` but `*` (aws/aws-sdk-ruby#3144).
- ListObjectsV2 gives at most 1,000 keys a page.
"""

import re
import uuid
from urllib.parse import parse_qsl, urlencode

from local_aws.asgi import Answer, App, Receive, Scope, Send, answer_of, read_body, send_answer, signed, with_body
from local_aws.errors import AwsError
from local_aws.ministack.query_api import parsed, xml_answer

_MOST_KEYS = 1000
_STATUS = {
    "AccessDenied": 403,
    "ConditionalRequestConflict": 409,
    "InvalidBucketOwnerAWSAccountID": 400,
    "NotImplemented": 501,
}


class S3:
    """An ASGI app in front of ministack, for requests to S3. Buckets are named in the path, as for IP addresses."""

    def __init__(self, *, app: App) -> None:
        self._app = app
        self._changes: dict[str, list[str]] = {}
        """The methods of the writes and deletes of each key that have finished; a key is the path of its requests."""
        self._conflicting: set[str] = set()

    def conflict_next_write(self, bucket: str) -> None:
        """Let the next conditional write to a bucket fail as if another had finished meanwhile."""
        self._conflicting.add(bucket)

    def reset(self) -> None:
        """Forget which writes are to fail."""
        self._conflicting.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            await self._check_owner(scope)
            if scope["method"] in ("PUT", "POST", "DELETE"):
                await send_answer(send, await self._write(scope, receive))
            else:
                await self._app(_with_short_pages(scope), receive, send)
        except AwsError as error:
            await send_answer(send, _refusal(error, scope))

    async def _write(self, scope: Scope, receive: Receive) -> Answer:
        changes = self._changes.setdefault(scope["path"], [])
        earlier = len(changes)
        if is_conditional := _is_conditional(scope):
            _check_condition(scope)
        body = await read_body(receive)
        if is_conditional and self._has_conflict(scope, meanwhile=changes[earlier:]):
            raise AwsError(
                code="ConditionalRequestConflict",
                message="The conditional request cannot succeed due to a conflicting operation against this resource.",
            )
        answer = await answer_of(self._app, scope, with_body(body))
        if answer.status < 300:
            changes.append(scope["method"])
        return answer

    def _has_conflict(self, scope: Scope, *, meanwhile: list[str]) -> bool:
        """Whether a conditional write fails because of what has been done to its key meanwhile."""
        bucket = _bucket(scope)
        if bucket in self._conflicting:
            self._conflicting.discard(bucket)
            return True
        # a key that was deleted does not match: ministack refuses it with NoSuchKey
        return bool(meanwhile) and not (_header(scope, "if-match") and meanwhile[-1] == "DELETE")

    async def _check_owner(self, scope: Scope) -> None:
        expected = _header(scope, "x-amz-expected-bucket-owner")
        if expected is None:
            return
        if not re.fullmatch(r"\d{12}", expected):
            raise AwsError(
                code="InvalidBucketOwnerAWSAccountID",
                message=f"The value of the expected bucket owner parameter must be an AWS Account ID... [{expected}]",
            )
        # without the headers of the request's body, which these requests do not have
        headers = [
            (name, value) for name, value in scope["headers"] if name in (b"authorization", b"host", b"x-amz-date")
        ]
        plain = {**scope, "headers": headers, "query_string": b""}
        buckets = {**plain, "method": "GET", "path": "/", "raw_path": b"/"}
        listed = parsed(await answer_of(self._app, signed(buckets, account=expected), with_body(b"")))
        if _bucket(scope) not in {name.text for name in listed.iterfind("{*}Buckets/{*}Bucket/{*}Name")}:
            # a bucket that does not exist is another refusal, which is ministack's
            path = f"/{_bucket(scope)}"
            bucket = {**plain, "method": "HEAD", "path": path, "raw_path": path.encode()}
            if (await answer_of(self._app, bucket, with_body(b""))).status != 404:
                raise AwsError(code="AccessDenied", message="Access Denied")


def _bucket(scope: Scope) -> str:
    return str(scope["path"]).split("/")[1]


def _header(scope: Scope, name: str) -> str | None:
    return next((value.decode() for key, value in scope["headers"] if key == name.encode()), None)


def _is_conditional(scope: Scope) -> bool:
    """Whether it is PutObject with a condition. CopyObject and CompleteMultipartUpload are ministack's alone."""
    return scope["method"] == "PUT" and any(name in (b"if-match", b"if-none-match") for name, _ in scope["headers"])


def _check_condition(scope: Scope) -> None:
    if _header(scope, "if-none-match") not in (None, "*"):
        raise AwsError(
            code="NotImplemented", message="A header you provided implies functionality that is not implemented"
        )


def _with_short_pages(scope: Scope) -> Scope:
    """The request for a page of keys with AWS's limit, if it asks for more."""
    asked = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
    if not any(name == "max-keys" and value.isdecimal() and int(value) > _MOST_KEYS for name, value in asked):
        return scope
    limited = [(name, str(_MOST_KEYS) if name == "max-keys" else value) for name, value in asked]
    return {**scope, "query_string": urlencode(limited).encode()}


def _refusal(error: AwsError, scope: Scope) -> Answer:
    content = {"Code": error.code, "Message": error.message, "Resource": scope["path"], "RequestId": uuid.uuid4()}
    answer = xml_answer("Error", content, status=_STATUS[error.code])
    # an answer to HEAD has no body: clients see the status only
    return answer if scope["method"] != "HEAD" else Answer(answer.status, answer.headers, b"")
