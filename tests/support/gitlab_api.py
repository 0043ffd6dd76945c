"""GitLab's API as far as the report of a merge request needs it: a server on this machine, which keeps the notes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class GitLabApi:
    """The notes of one merge request, of everybody."""

    token: str
    url: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Method and path of each request that was answered."""

    def add(self, body: str, *, author: int) -> None:
        """A note of somebody; the user of the token is 7."""
        self.notes.append({"id": 100 + len(self.notes), "author": {"id": author}, "body": body})


@contextmanager
def gitlab_api(*, token: str, notes_path: str) -> Iterator[GitLabApi]:
    """A server that refuses other tokens, paths, methods and bodies."""
    api = GitLabApi(token)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, _, query = self.path.partition("?")
            status: int = 404
            content: Any = None
            if self.headers.get("PRIVATE-TOKEN") != token:
                status = 401
            elif (self.command, path) == ("GET", "/api/v4/user"):
                status, content = 200, {"id": 7}
            elif (self.command, path, query) == ("GET", notes_path, "per_page=100&sort=asc"):
                status, content = 200, api.notes
            elif (self.command, path) == ("POST", notes_path):
                api.add(_field(self.headers["Content-Type"], body), author=7)
                status, content = 201, api.notes[-1]
            elif self.command == "PUT":
                changed = [note for note in api.notes if path == f"{notes_path}/{note['id']}"]
                for note in changed:
                    note["body"] = _field(self.headers["Content-Type"], body)
                    status, content = 200, note
            if status < 300:
                api.requests.append(f"{self.command} {path}")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        do_GET = do_POST = do_PUT = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the requests are kept."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_port}/api/v4"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


def _field(content_type: str, body: bytes) -> str:
    """The field `body` of a form, which must be the only one."""
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    (part,) = (each for each in form.walk() if not each.is_multipart())
    assert part.get_param("name", header="Content-Disposition") == "body"
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()
