"""AWS with the operator's own credentials, and its errors as one line that says what to do."""

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

from estate.models.provider import AssumeRole, Provider
from lambda_src.handoff.answers import GarbledAnswer
from lambda_src.handoff.failures import is_retryable
from ops.errors import OpsError

if TYPE_CHECKING:  # boto3's stubs are for development only
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_imagebuilder import ImagebuilderClient
    from mypy_boto3_ssm import SSMClient

# Retries are as configured (AWS_RETRY_MODE, AWS_MAX_ATTEMPTS). botocore's timeouts of a minute are long for a person.
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
        "UnrecognizedClientException",  # also in a region that is not enabled for the account
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
"""Raised by parsers, or by code that reads an answer, when the answer is cut off or lacks what AWS always sends."""

_Service = Literal["autoscaling", "ec2", "iam", "imagebuilder", "service-quotas", "ssm"]

_LONGEST_MESSAGE = 500
"""In characters; a proxy may answer with a whole page."""


class Aws:
    """One session, with one client for each service and region. Safe to use in several threads.

    The credentials are those of the environment, or of the profile in `provider`. A role in `provider` is for Terraform
    only; `role` is assumed, for an hour. Raises `OpsError` when the AWS configuration of this machine cannot be used or
    the role cannot be assumed.
    """

    def __init__(self, *, provider: Provider | None, home: str, role: AssumeRole | None = None) -> None:
        self._home = home
        self._allowed = provider.allowed_account_ids if provider else ()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        with asking(home):
            self._session = boto3.Session(profile_name=provider.profile if provider else None)
            if role:
                self._session = assume(role, session=self._session, region=home)

    @cached_property
    def caller(self) -> str:
        """The ARN of the user or of the role's session that the credentials belong to, in an account that is allowed.

        Raises `OpsError`.
        """
        with asking(self._home):
            sts = self._session.client("sts", region_name=self._home, config=_CONFIG)
            identity = sts.get_caller_identity()
            account, arn = identity["Account"], identity.get("Arn", "")
        if self._allowed and account not in self._allowed:
            allowed = ", ".join(self._allowed)
            raise OpsError(f"these credentials belong to account {account}, and the settings allow only {allowed}")
        self._account = account
        return arn

    @property
    def account(self) -> str:
        """The account of the credentials. Raises `OpsError`."""
        _ = self.caller
        return self._account

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

    def iam(self, region: str) -> Any:
        """IAM, in the partition of a region."""
        return self._client("iam", region)

    def imagebuilder(self, region: str) -> ImagebuilderClient:
        """Image Builder in a region."""
        client: ImagebuilderClient = self._client("imagebuilder", region)
        return client

    def service_quotas(self, region: str) -> Any:
        """Service Quotas in a region."""
        return self._client("service-quotas", region)

    def ssm(self, region: str) -> SSMClient:
        """Parameter Store in a region."""
        client: SSMClient = self._client("ssm", region)
        return client

    def _client(self, service: _Service, region: str) -> Any:
        with self._lock, asking(region):
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.client(service, region_name=region, config=_CONFIG)
            return self._clients[service, region]


def assume(role: AssumeRole, *, session: boto3.Session, region: str) -> boto3.Session:
    """A session of the role, which ends after an hour. Raises what boto3 raises."""
    wanted: dict[str, Any] = {"RoleArn": role.role_arn, "RoleSessionName": role.session_name or "goldsmith"}
    if role.external_id:
        wanted["ExternalId"] = role.external_id
    assumed = session.client("sts", region_name=region, config=_CONFIG).assume_role(**wanted)["Credentials"]
    return boto3.Session(
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )


@contextmanager
def asking(region: str) -> Iterator[None]:
    """Turns errors of boto3, and errors of code that reads an incomplete answer, into `OpsError` with a message. So the
    code that reads an answer has to be inside the block too."""
    try:
        yield
    except OpsError:
        raise
    except Exception as error:
        raise OpsError(_message(error, region)) from error


def _message(error: Exception, region: str) -> str:
    if isinstance(error, ClientError):
        return _refusal(error, region)
    reason = _one_line(error)
    if isinstance(error, exceptions.NoCredentialsError):
        return "there are no AWS credentials: log in (aws sso login, aws configure) or set AWS_PROFILE"
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{reason}: check AWS_PROFILE and settings.provider.profile, or create it with aws configure"
    if isinstance(error, _NO_LOGIN):
        return f"there are no AWS credentials: {reason}; log in again, for example with aws sso login"
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return f"AWS cannot be reached in {region}: {reason}; check the network, the proxy and AWS_ENDPOINT_URL"
    if isinstance(error, _GARBLED):
        detail = reason if isinstance(error, GarbledAnswer) else f"{type(error).__name__}: {reason}"
        remedy = "try again, and check the network, the proxy and AWS_ENDPOINT_URL"
        return f"AWS's answer in {region} cannot be read: {detail}; {remedy}"
    where = "~/.aws/config and environment variables such as AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS or AWS_CA_BUNDLE"
    return f"AWS cannot be called in {region}: {reason}; check the AWS configuration of this machine: {where}"


def _refusal(error: ClientError, region: str) -> str:
    code = error.response["Error"].get("Code") or "no reason"
    message = _one_line(error.response["Error"].get("Message", ""))
    operation = f"{error.operation_name} in {region}"
    if code in _EXPIRED:
        return "the AWS session has expired: log in again, for example with aws sso login"
    if code in _NOT_ACCEPTED:
        return (
            f"AWS does not accept these credentials for {operation} ({code}): log in again, and check AWS_PROFILE "
            "and that the region is enabled for the account"
        )
    if code in _DENIED:
        return f"AWS does not allow {operation}: {message or code}; ask for this permission"
    if is_retryable(error):
        return f"AWS failed at {operation} ({code}: {message}): try again in a moment"
    return f"AWS refused {operation}: {code}: {message}"


def _one_line(text: object) -> str:
    return shorten(str(text), _LONGEST_MESSAGE, placeholder=" …").rstrip(".")
