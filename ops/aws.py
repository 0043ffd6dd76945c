"""AWS under the operator's own identity, and its refusals in one line that says what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from estate.models.settings import Provider
from lambda_src.handoff.answers import GarbledAnswer
from lambda_src.handoff.failures import is_retryable

if TYPE_CHECKING:  # boto3's stubs are for development only
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_imagebuilder import ImagebuilderClient
    from mypy_boto3_ssm import SSMClient

# Retries are as the environment says (AWS_RETRY_MODE, AWS_MAX_ATTEMPTS); a person does not wait for a minute's silence.
_CONFIG = Config(connect_timeout=5, read_timeout=30)

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_NOT_ACCEPTED = frozenset(
    {
        "AuthFailure",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",  # also of a region that the account has not enabled
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedOperation"})
_NO_LOGIN = (
    exceptions.CredentialRetrievalError,
    exceptions.LoginError,
    exceptions.NoAuthTokenError,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
)

_GARBLED = (AttributeError, GarbledAnswer, LookupError, ResponseParserError, TypeError, UnicodeDecodeError)
"""What a parser, or whoever reads what was parsed, raises when an answer is cut off or lacks what AWS always sends."""

_LONGEST_MESSAGE = 500
"""In characters; a proxy may answer with a page."""


class OpsError(Exception):
    """What went wrong and what to do, as it is printed; exit status 1."""


class Aws:
    """One session, and one client for each service and region. Clients may be asked for in any thread.

    The identity is the environment's, or the profile that `provider` names if there is one. The role that it lets
    Terraform assume is Terraform's own. Raises `OpsError` when AWS's configuration on this machine cannot be used.
    """

    def __init__(self, *, provider: Provider | None, home: str) -> None:
        self._home = home
        self._allowed = provider.allowed_account_ids if provider else ()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        with asking(home):
            self._session = boto3.Session(profile_name=provider.profile if provider else None)

    @cached_property
    def account(self) -> str:
        """The account of the operator's identity."""
        with asking(self._home):
            sts = self._session.client("sts", region_name=self._home, config=_CONFIG)
            account = sts.get_caller_identity()["Account"]
        if self._allowed and account not in self._allowed:
            allowed = ", ".join(self._allowed)
            raise OpsError(f"these credentials are of account {account}, and the settings allow only {allowed}")
        return account

    def autoscaling(self, region: str) -> Any:
        """Auto Scaling in a region."""
        return self._client("autoscaling", region)

    def ec2(self, region: str) -> EC2Client:
        """EC2 in a region."""
        client: EC2Client = self._client("ec2", region)
        return client

    def ecr(self, region: str) -> ECRClient:
        """ECR in a region, a new client each time."""
        with self._lock, asking(region):
            return self._session.client("ecr", region_name=region, config=_CONFIG)

    def imagebuilder(self, region: str) -> ImagebuilderClient:
        """Image Builder in a region."""
        client: ImagebuilderClient = self._client("imagebuilder", region)
        return client

    def ssm(self, region: str) -> SSMClient:
        """Parameter Store in a region."""
        client: SSMClient = self._client("ssm", region)
        return client

    def _client(self, service: Literal["autoscaling", "ec2", "imagebuilder", "ssm"], region: str) -> Any:
        with self._lock, asking(region):
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.client(service, region_name=region, config=_CONFIG)
            return self._clients[service, region]


@contextmanager
def asking(region: str) -> Iterator[None]:
    """Turns what boto3 raises inside, and what an answer that lacks something makes its reader raise, into `OpsError`,
    in words. Whatever reads an answer belongs inside, too."""
    try:
        yield
    except OpsError:
        raise
    except Exception as error:
        raise OpsError(_words(error, region)) from error


def _words(error: Exception, region: str) -> str:
    if isinstance(error, ClientError):
        return _refusal(error, region)
    said = _one_line(error)
    if isinstance(error, exceptions.NoCredentialsError):
        return "there are no AWS credentials: log in (aws sso login, aws configure) or set AWS_PROFILE"
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{said}: AWS_PROFILE or settings.provider.profile names it; aws configure makes it"
    if isinstance(error, _NO_LOGIN):
        return f"there are no AWS credentials: {said}; log in again, for instance by aws sso login"
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return f"AWS cannot be reached in {region}: {said}; check the network, the proxy and AWS_ENDPOINT_URL"
    if isinstance(error, _GARBLED):
        what = said if isinstance(error, GarbledAnswer) else f"{type(error).__name__}: {said}"
        remedy = "try again, and check the network, the proxy and AWS_ENDPOINT_URL"
        return f"AWS's answer in {region} cannot be read: {what}; {remedy}"
    where = "~/.aws/config and environment variables such as AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS or AWS_CA_BUNDLE"
    return f"AWS cannot be asked in {region}: {said}; check the configuration of AWS on this machine: {where}"


def _refusal(error: ClientError, region: str) -> str:
    code = error.response["Error"].get("Code") or "no reason"
    message = _one_line(error.response["Error"].get("Message", ""))
    what = f"{error.operation_name} in {region}"
    if code in _EXPIRED:
        return "the AWS session has expired: log in again, for instance by aws sso login"
    if code in _NOT_ACCEPTED:
        return (
            f"AWS does not accept these credentials for {what} ({code}): log in again, and check AWS_PROFILE "
            "and that the region is enabled for the account"
        )
    if code in _DENIED:
        return f"AWS does not allow {what}: {message or code}; ask for this permission"
    if is_retryable(error):
        return f"AWS failed at {what} ({code}: {message}): try again in a moment"
    return f"AWS refused {what}: {code}: {message}"


def _one_line(text: object) -> str:
    return shorten(str(text), _LONGEST_MESSAGE, placeholder=" …").rstrip(".")
