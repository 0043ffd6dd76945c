"""A stand-in for curl, with the options of `examples/ci`: it sends the request, and refuses every other option."""

from __future__ import annotations

import secrets
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path


def main() -> int:
    """Write the answer to standard output; the exit status is curl's."""
    parser = ArgumentParser("curl", allow_abbrev=False)
    for name in ("--fail", "--silent", "--show-error"):
        parser.add_argument(name, action="store_true", required=True)
    parser.add_argument("--header", required=True)
    parser.add_argument("--request", choices=["POST", "PUT"], default="GET")
    parser.add_argument("--form")
    parser.add_argument("url")
    given = parser.parse_args()
    name, _, value = given.header.partition(": ")
    request = urllib.request.Request(given.url, method=given.request, headers={name: value})
    if given.form:
        field, _, file = given.form.partition("=<")  # "=<FILE": the content of a file as a text, not as an attachment
        disposition = f'Content-Disposition: form-data; name="{field}"'
        limit = secrets.token_hex()
        parts = [f"--{limit}", disposition, "", Path(file).read_text(), f"--{limit}--", ""]
        request.data = "\r\n".join(parts).encode()
        request.add_header("Content-Type", f"multipart/form-data; boundary={limit}")
    try:
        with urllib.request.urlopen(request) as answer:
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as error:
        print(f"curl: (22) The requested URL returned error: {error.code}", file=sys.stderr)
        return 22
    return 0


sys.exit(main())
