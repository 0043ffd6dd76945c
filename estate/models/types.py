"""Checked kinds of text: what a name, a region, an ARN or a version looks like.

Text is checked once, here; the code that receives it relies on that.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from estate import names
from estate.limits import ARN, KEY_PREFIX, ROLE_PATH, TAG_VALUE
from estate.problems import RuleError, shown

FROZEN = ConfigDict(frozen=True, extra="forbid")
"""For every model: unknown keys are errors, and values cannot be changed later."""

LARGEST_INTEGER = 2**31 - 1
"""The largest number that AWS's APIs take where they document no limit."""


@dataclass(frozen=True)
class Matching:
    """Text that must match a pattern as a whole. Editors get the pattern; the docs and error messages have the rule."""

    pattern: str
    rule: str
    remedy: str = ""
    in_yaml: str = ""
    """The pattern in YAML, if what is written there is replaced before it gets here."""

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise RuleError(self.rule, got=shown(value), remedy=self.remedy)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            **handler(schema),
            "pattern": f"^({self.in_yaml or self.pattern})$",
            "$comment": self.rule.removeprefix("must be "),
        }


@dataclass(frozen=True)
class Distinct:
    """A list in which every item is different."""

    def _check(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        seen: set[Any] = set()
        for index, value in enumerate(values):
            if value in seen:
                raise RuleError("is listed twice", got=shown(value), remedy="delete one", key=(index,))
            seen.add(value)
        return values

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "uniqueItems": True}


def exactly_one(*fields: str) -> ConfigDict:
    """The configuration of a model that takes exactly one of some fields; editors read it from the JSON Schema."""
    return ConfigDict(**FROZEN, json_schema_extra={"oneOf": [{"required": [field]} for field in fields]})


def _version_text(value: Any) -> Any:
    """YAML reads 1.10 without quotes as the number 1.1, so a number is refused: it would build the wrong version."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        fits = re.fullmatch(r"\d+\.\d+", str(value))
        example = f'write it in quotes: "{value}"' if fits else 'write two numbers in quotes, such as "1.0"'
        raise RuleError("must be text", got=shown(value), remedy=example)
    return value


def _parameter_text(value: Any) -> Any:
    """Image Builder takes only text. Whole numbers and true or false become the same text; 1.10 would not, so it is
    refused."""
    if isinstance(value, float):
        raise RuleError("must be text", got=shown(value), remedy="write it in quotes")
    if isinstance(value, bool):
        return str(value).lower()
    if value == "":
        raise RuleError("must not be empty", remedy="delete it; the document's default is used then")
    return str(value) if isinstance(value, int) else value


def _tag_value(value: str) -> str:
    if not TAG_VALUE.fits(value) or not all(each.isalnum() or each in " _.:/=+-@" for each in value):
        raise RuleError(
            f"a tag's value has at most {TAG_VALUE.most} letters, digits, spaces and _.:/=+-@", got=shown(value)
        )
    return value


def _one_case(tags: dict[str, str]) -> dict[str, str]:
    """IAM takes Team and team for the same key."""
    seen: dict[str, str] = {}
    for key in tags:
        if seen.setdefault(key.lower(), key) != key:
            raise RuleError("two tags differ in upper and lower case only", got=shown(key), key=(key,))
    return tags


def _any_case(word: str) -> str:
    """A pattern for a word in upper or lower case, which editors understand too. IAM ignores the case of tag keys."""
    return "".join(f"[{each.upper()}{each.lower()}]" if each.isalpha() else each for each in word)


def _arn(service: str, resource: str, rule: str, remedy: str) -> Matching:
    return Matching(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]*:([0-9]{{12}}|aws)?:{resource}{_PLAIN}+", rule, remedy)


# no character by which Terraform would take the text for a template: providers and backends cannot have templates
_PLAIN = "[A-Za-z0-9_+=,.@:/-]"

Text = Annotated[str, Field(min_length=1)]
ParameterValue = Annotated[str, BeforeValidator(_parameter_text, json_schema_input_type=str | int | bool)]
"""The value of a parameter of a component or workflow."""
PlainText = Annotated[str, ARN, Matching(rf"{_PLAIN}+", "must be letters, digits and _+=,.@:/-")]
Namespace = Annotated[
    str,
    Matching(
        rf"(?!aws$)[a-z][a-z0-9]{{1,{names.LONGEST_NAMESPACE - 1}}}",
        f"must be 2 to {names.LONGEST_NAMESPACE} lower-case letters and digits, starting with a letter, and not aws",
    ),
]
NAME = rf"(?=.{{2,{names.LONGEST_NAME}}}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"
"""The pattern of names of images, fleets and channels."""
Name = Annotated[
    str,
    Matching(
        NAME,
        f"must be 2 to {names.LONGEST_NAME} lower-case letters, digits and single hyphens, starting with a letter",
    ),
]
Region = Annotated[
    # as long as names in IAM allow, three characters more than the longest region that AWS has
    str,
    Matching(r"(?=.{1,17}$)[a-z]{2,4}(-[a-z]+)+-[0-9]", "must be a region", "write it as AWS does, such as eu-west-1"),
]
MajorMinor = Annotated[
    str,
    BeforeValidator(_version_text),
    Matching(
        r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})",
        "must be major.minor",
        'write two numbers in quotes, such as "1.0"',
    ),
]
AccountId = Annotated[str, Matching(r"[0-9]{12}", "must be an account ID", "write twelve digits in quotes")]
AccountReference = Annotated[
    str,
    Matching(
        r"[0-9]{12}",
        "must be an account ID, or a name in settings.accounts",
        "write twelve digits in quotes, or add the account to settings.accounts",
        in_yaml=f"[0-9]{{12}}|{NAME}",
    ),
]
"""An account by its ID. In YAML also by its name, which `estate.account_names` has replaced before."""
AmiId = Annotated[str, Matching(r"ami-[0-9a-f]{8,17}", "must be the ID of an AMI", "write it as ami-0a1b2c3d")]
SubnetId = Annotated[str, Matching(r"subnet-[0-9a-f]+", "must be a subnet ID", "write it as subnet-…")]
SecurityGroupId = Annotated[str, Matching(r"sg-[0-9a-f]+", "must be a security group ID", "write it as sg-…")]
LaunchTemplateId = Annotated[
    str, Matching(r"lt-[0-9a-f]{17}", "must be a launch template's ID", "write it as lt-0123456789abcdef0")
]
HostId = Annotated[str, Matching(r"h-[0-9a-f]+", "must be a dedicated host's ID", "write it as h-…")]
AvailabilityZone = Annotated[
    str, Matching(r"[a-z]{2,4}(-[a-z0-9]+)+[a-z]", "must be an Availability Zone", "write it as eu-west-1a")
]
InstanceType = Annotated[
    str, Matching(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "must be an instance type", "write it as t3.small")
]
KeyPairName = Annotated[
    str,
    Matching(
        rf"{_PLAIN}({_PLAIN}| ){{0,254}}",
        "must be a key pair's name: 1 to 255 letters, digits, spaces and _+=,.@:/-",
    ),
]
FolderPath = Annotated[
    str,
    KEY_PREFIX,
    Matching(
        r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*",
        "must be a path without / at its start and end",
        "write it as team/goldsmith",
    ),
]
RolePath = Annotated[
    str,
    ROLE_PATH,
    Matching(rf"/({_PLAIN}+/)?", "must be a path with / at its start and end", "write it as /team/goldsmith/"),
]
BucketName = Annotated[
    str,
    Matching(
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "must be a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens",
    ),
]
RepositoryName = Annotated[
    Text,
    Matching(
        r"(?=.{2,256}$)([a-z0-9]+([._-]+[a-z0-9]+)*/)*[a-z0-9]+([._-]+[a-z0-9]+)*",
        "must be a repository's name: 2 to 256 lower-case letters, digits and ._-, in parts between /",
        "write it without the registry, such as team/web",
    ),
]
IMAGE_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
"""The pattern of tags of container images."""
ImageTag = Annotated[
    Text,
    Matching(IMAGE_TAG, "must be an image's tag: 1 to 128 letters, digits, _, . and -, starting with none of . and -"),
]
AnyArn = Annotated[str, ARN, _arn("[a-z0-9-]+", "", "must be an ARN", "write it as arn:aws:…")]
RoleArn = Annotated[
    str, ARN, _arn("iam", "role/", "must be a role's ARN", "write it as arn:aws:iam::123456789012:role/…")
]
InstanceProfileArn = Annotated[
    str,
    ARN,
    _arn(
        "iam",
        "instance-profile/",
        "must be an instance profile's ARN",
        "write it as arn:aws:iam::123456789012:instance-profile/…",
    ),
]
KmsKeyArn = Annotated[
    str, ARN, _arn("kms", "key/", "must be a key's ARN", "write it as arn:aws:kms:eu-west-1:123456789012:key/…")
]
_KEY_ID = "([0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
_KEY_ALIAS = "alias/[A-Za-z0-9/_-]+"
StateKey = Annotated[
    str,
    Matching(
        rf"{_KEY_ALIAS}|{_KEY_ID}|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{{12}}:({_KEY_ALIAS}|key/{_KEY_ID})",
        "must be a KMS key as Terraform's S3 backend takes it: an ARN, an ID, or alias/ and a name",
        "write it as arn:aws:kms:eu-west-1:123456789012:key/…",
    ),
]
ExternalId = Annotated[
    str, Matching(rf"{_PLAIN}{{2,1224}}", "must be 2 to 1224 letters, digits and _+=,.@:/-")
]  # as AWS's AssumeRole has them
SessionName = Annotated[str, Matching("[A-Za-z0-9_+=,.@-]{2,64}", "must be 2 to 64 letters, digits and _+=,.@-")]
HostResourceGroupArn = Annotated[
    str,
    ARN,
    _arn(
        "resource-groups",
        "group/",
        "must be a host resource group's ARN",
        "write it as arn:aws:resource-groups:eu-west-1:123456789012:group/…",
    ),
]
LicenseConfigurationArn = Annotated[
    str,
    ARN,
    _arn(
        "license-manager",
        "license-configuration:",
        "must be a license configuration's ARN",
        "write it as arn:aws:license-manager:eu-west-1:123456789012:license-configuration:lic-…",
    ),
]
TargetGroupArn = Annotated[
    str,
    ARN,
    _arn(
        "elasticloadbalancing",
        "targetgroup/",
        "must be a target group's ARN",
        "write it as arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/…",
    ),
]
TagKey = Annotated[
    str,
    Matching(
        rf"(?!{_any_case('aws:')}|{_any_case('goldsmith:')}|({_any_case('CreatedBy')}|{_any_case('Ec2ImageBuilderArn')}"
        r"|Name|Tags)$)[A-Za-z0-9 _.:/=+@-]{1,128}",
        "a tag's key has 1 to 128 letters, digits, spaces and _.:/=+-@, does not start with aws: or goldsmith:, and is "
        "none of CreatedBy, Ec2ImageBuilderArn, Name and Tags, which are set for you",
    ),
]
Tags = Annotated[dict[TagKey, Annotated[str, AfterValidator(_tag_value)]], AfterValidator(_one_case)]
