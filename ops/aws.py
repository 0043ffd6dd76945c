"""AWS as the commands call it: sessions, their clients, and errors as one line that says what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal

from botocore import exceptions
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from estate.models.provider import AssumeRole
from lambda_src.handoff.answers import GarbledAnswer
from lambda_src.handoff.failures import NotYet, is_retryable
from ops.errors import OpsError

if TYPE_CHECKING:  # boto3's stubs are for development only
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_imagebuilder import ImagebuilderClient
    from mypy_boto3_ssm import SSMClient

# Retries are as configured (AWS_RETRY_MODE, AWS_MAX_ATTEMPTS). botocore's timeouts of a minute are long for a person.
_CONFIG = Config(connect_timeout=5, read_timeout=30)

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
"""The codes with which AWS refuses credentials that were valid before."""
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
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedOperation"})
"""The codes with which AWS does not allow an operation."""
_NO_LOGIN = (
    exceptions.CredentialRetrievalError,
    exceptions.LoginError,
    exceptions.NoAuthTokenError,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
)

_GARBLED = (AttributeError, GarbledAnswer, LookupError, ResponseParserError, TypeError, UnicodeDecodeError)
"""Raised by parsers, or by code that reads an answer, when the answer is cut off or lacks what AWS always sends."""

_Service = Literal[
    "autoscaling", "cloudwatch", "ec2", "iam", "imagebuilder", "kms", "lambda", "s3", "service-quotas", "ssm", "sts"
]

_LONGEST_MESSAGE = 500
"""In characters; a proxy may answer with a whole page."""

# A session must not make two clients at once, and what it loads for them is shared by the sessions of roles.
_making_clients = threading.RLock()


class Aws:
    """One session, with one client for each service and region. Safe to use in several threads.

    `home` is the region in which it is asked who the credentials belong to. `ops.accounts` has one for each account.
    """

    def __init__(self, session: Session, *, home: str) -> None:
        self._session = session
        self._home = home
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def session(self) -> Session:
        """The session, for the credentials of a role that it assumes."""
        return self._session

    @cached_property
    def caller(self) -> str:
        """The ARN of the user or of the role's session that the credentials belong to. Raises `OpsError`."""
        with asking(self._home):
            identity = self._client("sts", self._home).get_caller_identity()
            self._account, arn = str(identity["Account"]), str(identity.get("Arn", ""))
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
        with asking(region):
            client: ECRClient = _new_client(self._session, "ecr", region=region)
            return client

    def functions(self, region: str) -> Any:
        """Lambda in a region."""
        return self._client("lambda", region)

    def cloudwatch(self, region: str) -> Any:
        """CloudWatch, in a region."""
        return self._client("cloudwatch", region)

    def iam(self, region: str) -> Any:
        """IAM, in the partition of a region."""
        return self._client("iam", region)

    def imagebuilder(self, region: str) -> ImagebuilderClient:
        """Image Builder in a region."""
        client: ImagebuilderClient = self._client("imagebuilder", region)
        return client

    def kms(self, region: str) -> Any:
        """Key Management Service in a region."""
        return self._client("kms", region)

    def s3(self, region: str) -> Any:
        """S3 in a region."""
        return self._client("s3", region)

    def service_quotas(self, region: str) -> Any:
        """Service Quotas in a region."""
        return self._client("service-quotas", region)

    def ssm(self, region: str) -> SSMClient:
        """Parameter Store in a region."""
        client: SSMClient = self._client("ssm", region)
        return client

    def sts(self, region: str) -> Any:
        """STS in a region."""
        return self._client("sts", region)

    def _client(self, service: _Service, region: str) -> Any:
        with _making_clients, asking(region):
            if (service, region) not in self._clients:
                self._clients[service, region] = _new_client(self._session, service, region=region)
            return self._clients[service, region]


def open_session(*, profile: str | None = None) -> Session:
    """A session with the credentials of a profile. Default: those of the environment."""
    session = Session()
    session.user_agent_extra = "goldsmith"  # so that CloudTrail, and tests, can tell these calls from others
    if profile:
        session.set_config_variable("profile", profile)
    return session


def assume(role: AssumeRole, *, source: Session, region: str, config: Config = _CONFIG) -> Session:
    """A session of a role, which the credentials of another session assume. `config` is for that call.

    The role is assumed when it is used first, and again before its credentials expire, which AWS limits to an hour if
    `source` is a session of a role itself. Its profile is that of `source`, so endpoints in it are used, too. Raises
    what botocore raises.
    """
    credentials = source.get_credentials()
    if credentials is None:
        raise exceptions.NoCredentialsError
    wanted: dict[str, Any] = {"RoleSessionName": role.session_name or "goldsmith"}
    if role.external_id:
        wanted["ExternalId"] = role.external_id
    fetcher = AssumeRoleCredentialFetcher(
        partial(_new_client, source, region=region, config=config), credentials, role.role_arn, extra_args=wanted
    )
    assumed = open_session(profile=source.instance_variables().get("profile"))
    assumed.register_component("credential_provider", CredentialResolver([_RoleProvider(fetcher)]))
    # what was loaded from botocore's files; the model of EC2 alone takes a tenth of a second
    assumed.register_component("data_loader", source.get_component("data_loader"))
    return assumed


def _new_client(session: Session, service: str, *, region: str, config: Config = _CONFIG, **credentials: Any) -> Any:
    with _making_clients:
        return session.create_client(service, region_name=region, config=config, **credentials)


class _RoleProvider(CredentialProvider):
    """What botocore's own provider for roles in profiles gives, for a role that no profile names."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


@contextmanager
def asking(region: str) -> Iterator[None]:
    """Turns errors of boto3, and errors of code that reads an incomplete answer, into `OpsError` with a message. So the
    code that reads an answer has to be inside the block too."""
    try:
        yield
    except OpsError:
        raise
    except Exception as error:
        raise OpsError(message_of(error, region)) from error


def message_of(error: Exception, region: str) -> str:
    """What went wrong with a call in a region, and what to do."""
    if isinstance(error, ClientError):
        return _refusal(error, region)
    if isinstance(error, NotYet):
        return str(error)
    reason = _one_line(error)
    if isinstance(error, exceptions.NoCredentialsError):
        return "there are no AWS credentials: log in (aws sso login, aws configure) or set AWS_PROFILE"
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{reason}: check AWS_PROFILE and the profile in the settings, or create it with aws configure"
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
    if code in EXPIRED:
        return "the AWS session has expired: log in again, for example with aws sso login"
    if code in _NOT_ACCEPTED:
        return (
            f"AWS does not accept these credentials for {operation} ({code}): log in again, and check AWS_PROFILE "
            "and that the region is enabled for the account"
        )
    if code in DENIED and error.operation_name == "AssumeRole":
        return (
            f"the role cannot be assumed: {message or code}; it must exist and trust these credentials, and their "
            "policies must allow sts:AssumeRole on it"
        )
    if code in DENIED:
        return f"AWS does not allow {operation}: {message or code}; ask for this permission"
    if is_retryable(error):
        return f"AWS failed at {operation} ({code}: {message}): try again in a moment"
    return f"AWS refused {operation}: {code}: {message}"


def _one_line(text: object) -> str:
    return shorten(str(text), _LONGEST_MESSAGE, placeholder=" …").rstrip(".")
