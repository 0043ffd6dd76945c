"""boto3 clients of this server itself, for what AWS's services ask each other.

All calls block, so they run in threads: the event loop of the caller is the one that answers them.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

ACCOUNT = "000000000000"
"""The account of everyone whose access key is neither the number of another account nor that of a session."""


class Clients:
    """The clients for one endpoint, made when they are needed first."""

    def __init__(self, *, endpoint: str) -> None:
        self._endpoint = endpoint
        self._session = boto3.Session()
        self._lock = threading.Lock()
        self._client = functools.cache(self._new_client)

    def __call__(self, service: str, *, region: str, account: str) -> Any:
        """The client of a service for an administrator of an account."""
        return self._client(service, region, account)

    def _new_client(self, service: str, region: str, account: str) -> Any:
        # clients can be shared by threads, sessions cannot
        with self._lock:
            return self._session.client(  # type: ignore[call-overload]
                service,
                region_name=region,
                endpoint_url=self._endpoint,
                aws_access_key_id=account,
                aws_secret_access_key="test",
            )


def succeeds(call: Callable[..., object], **arguments: str | list[str]) -> bool:
    """Whether AWS does what is asked, rather than refuse it."""
    try:
        call(**arguments)
    except ClientError:
        return False
    return True
