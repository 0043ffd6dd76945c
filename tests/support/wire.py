"""A wire to the local AWS on which requests meet faults, for programs that make clients of their own."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_XML = ("autoscaling", "ec2", "iam", "s3", "sts")
"""Services that answer in XML."""
_KEPT = ("content-type", "x-amzn-errortype", "x-amz-bucket-region", "etag")
"""Headers of an answer that clients read."""


@dataclass(frozen=True)
class Asked:
    """A request."""

    service: str
    region: str
    operation: str
    """`ec2 DescribeImages`; for services with paths the method and the beginning of the path."""
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def refusal(self, code: str, *, status: int) -> tuple[int, bytes]:
        """AWS's refusal, in the form of the service."""
        error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        if self.service == "ec2":
            return status, f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>".encode()
        if self.service == "s3":
            return status, error.encode()
        if self.service in _XML:
            return status, f"<ErrorResponse>{error}</ErrorResponse>".encode()
        return status, json.dumps({"__type": code, "message": "no"}).encode()


Fault = Callable[[Asked, tuple[int, bytes]], tuple[int, bytes] | None]
"""What becomes of an answer of AWS; None closes the connection."""

THROTTLED: Fault = lambda asked, _: asked.refusal("ThrottlingException", status=400)  # noqa: E731
BROKEN: Fault = lambda asked, _: asked.refusal("InternalError", status=500)  # noqa: E731
DENIED: Fault = lambda asked, _: asked.refusal("AccessDeniedException", status=403)  # noqa: E731
TRUNCATED: Fault = lambda _, answer: (answer[0], answer[1][: len(answer[1]) // 2])  # noqa: E731
RESET: Fault = lambda *_: None  # noqa: E731


@dataclass
class Wire:
    """Passes requests on, and lets those that match meet a fault."""

    endpoint: str = ""
    operations: list[str] = field(default_factory=list)
    """What was asked for, in order."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """By operation. It is met after AWS has done what was asked, unless AWS would refuse before."""
    down: set[str] = field(default_factory=set)
    """Regions that close every connection, before anything is done there."""


@contextmanager
def wire_to(aws: str) -> Iterator[Wire]:
    """A wire to an endpoint."""
    wire = Wire()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked = _asked(self)
            wire.operations.append(asked.operation)
            if asked.region in wire.down:
                self.close_connection = True
                return
            status, body, headers = _passed_on(aws, asked)
            if fault := wire.faults.get(asked.operation):
                changed = fault(asked, (status, body))
                if changed is None:
                    self.close_connection = True
                    return
                headers = headers if changed[0] == status else {}
                status, body = changed
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        wire.endpoint = f"http://127.0.0.1:{server.server_port}"
        try:
            yield wire
        finally:
            server.shutdown()
            thread.join()


def _asked(request: BaseHTTPRequestHandler) -> Asked:
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = request.rfile.read(int(headers.get("content-length", 0)))
    _, region, service = headers.get("authorization", "///").split("/")[1:4]
    if target := headers.get("x-amz-target", ""):
        operation = target.rpartition(".")[2]
    elif service in ("autoscaling", "ec2", "iam", "sts"):
        operation = next(part for part in body.decode().split("&") if part.startswith("Action=")).partition("=")[2]
    else:
        parts = urlsplit(request.path).path.split("/")
        operation = f"{request.command} {'/'.join(parts[: 2 if service == 'imagebuilder' else 3])}"
    return Asked(service, region, f"{service} {operation}", request.command, request.path, headers, body)


def _passed_on(aws: str, asked: Asked) -> tuple[int, bytes, dict[str, str]]:
    place = urlsplit(aws)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    try:
        connection.request(asked.method, asked.path, asked.body, dict(asked.headers))
        answer = connection.getresponse()
        kept = {name: value for name, value in answer.getheaders() if name.lower() in _KEPT}
        return answer.status, answer.read(), kept
    finally:
        connection.close()
