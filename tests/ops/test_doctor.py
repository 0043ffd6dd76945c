"""What `goldsmith doctor` finds on this machine and in AWS: a line each, with what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.ops_world import Answer, answering, only, refusing, run_ops

ESTATE = """\
settings: {namespace: acme}
images: {web: {os: amazon-linux-2023, build: [update-os], regions: [us-east-1, eu-west-1]}}
fleets:
  web-dev:
    image: web
    channel: latest
    region: us-east-1
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    capacity: {min: 1, max: 4}
"""
TERRAFORM = """\
#!/bin/sh
case $1 in
    version) echo '{"terraform_version": "1.12.3"}' ;;
    init) echo '- Installing hashicorp/aws v5.100.0...' ;;
esac
"""
QUOTAS = {
    "GetServiceQuota": json.dumps({"Quota": {"QuotaName": "Standard", "Value": 5.0}}),
    "ListServiceQuotas": json.dumps({"Quotas": [{"QuotaName": "Image pipelines", "Value": 75.0}]}),
}
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account>"
    "<Arn>arn:aws:sts::000000000000:assumed-role/ops/me</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


@pytest.fixture
def doctor(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Runs it with a stand-in for Terraform, and a configuration that a test may change."""
    only(local_aws.environment() | {"AWS_MAX_ATTEMPTS": "1", "HOME": str(tmp_path)}, monkeypatch)
    install(tmp_path, TERRAFORM)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    config = tmp_path / "estate.yaml"
    config.write_text(ESTATE)
    return lambda *arguments: run_ops(["doctor", "--config", str(config), *arguments], capsys)


def install(folder: Path, terraform: str) -> None:
    """A stand-in for Terraform."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "terraform"
    program.write_text(terraform)
    program.chmod(0o755)


def lines(answer: Answer) -> dict[str, str]:
    """The lines of a report, state and text by subject."""
    found = {}
    for line in answer.out.splitlines():
        state, _, rest = line.partition(" ")
        subject, _, text = rest.partition(": ")
        found[subject] = f"{state} {text}"
    return found


def test_all_is_well(doctor: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = {**QUOTAS, "GetServiceQuota": json.dumps({"Quota": {"Value": 32.0}})}
    with answering(quotas) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", endpoint)
        answer = doctor()
    found = lines(answer)
    assert found.pop("Python").startswith("ok 3.")
    assert found.pop("Node").endswith(", with the cdktf command")
    root = "ok allowed to the root user, who may do everything"
    assert found == {
        "Terraform": "ok 1.12.3",
        "AWS's provider for Terraform": "ok 5.100.0",
        "configuration": f"ok {tmp_path}/estate.yaml: estate acme with 1 image and 1 fleet",
        "credentials": "ok arn:aws:iam::000000000000:root in account 000000000000",
        "permissions of goldsmith status": root,
        "permissions of goldsmith build": root,
        "permissions in EC2": "ok allowed in us-east-1, eu-west-1",
        "quota of vCPUs in us-east-1": "ok the fleets at their maximum need 8 of 32",
        "quota of pipelines in us-east-1": "ok the images need 1 of 75",
    }
    assert (answer.err, answer.status) == ("", 0)


def test_what_is_missing_is_named_with_the_remedy(
    doctor: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, TERRAFORM.replace("1.12.3", "1.5.7"))
    (tmp_path / "estate.yaml").write_text(ESTATE.replace("t3.micro", "t3").replace("acme", "A"))
    answer = doctor()
    found = lines(answer)
    assert found["Terraform"].startswith("missing terraform is 1.5.7, and Goldsmith needs Terraform 1.11 or newer")
    assert found["configuration"].startswith(f"missing {tmp_path}/estate.yaml:1 settings.namespace: ")
    assert found["configuration"].endswith(", and 1 more; goldsmith check shows all")
    assert "credentials" not in found, "which accounts are meant is not known"
    assert answer.status == 1

    install(tmp_path, TERRAFORM.replace("init) echo", "init) printf 'Error: no network\\n\\nat all' >&2; exit 1 #"))
    (tmp_path / "estate.yaml").write_text(ESTATE)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    found = lines(doctor())
    assert found["AWS's provider for Terraform"] == (
        "missing no network at all; allow registry.terraform.io, or name a mirror that has it in Terraform's CLI "
        "configuration"
    )
    assert found["credentials"] == (
        "missing there are no AWS credentials: log in (aws sso login, aws configure) or set AWS_PROFILE"
    )


def test_the_version_of_the_provider_is_one_that_the_settings_allow(
    doctor: Callable[..., Answer], tmp_path: Path
) -> None:
    subject = "AWS's provider for Terraform"
    none = "Error: Failed to query provider packages: no available releases match the given constraints"
    refuses = f"init) grep -o '>= 6.4[^,]*' main.tf.json && {{ echo '{none} some' >&2; exit 1; }};"
    install(tmp_path, TERRAFORM.replace("init)", refuses).replace("5.100.0", "6.70.0"))
    assert lines(doctor())[subject] == "ok 6.70.0, tested is 5.100.0"
    six = 'namespace: acme, providers: {aws: ">= 6.40.0, < 7.0.0"}'
    (tmp_path / "estate.yaml").write_text(ESTATE.replace("namespace: acme", six))
    assert lines(doctor())[subject] == (
        f"missing {none.removeprefix('Error: ')} some; allow a version in settings.providers.aws that the mirror or "
        "registry has, or add one there"
    )


def test_permissions_are_simulated_for_the_role_and_quotas_compared(
    doctor: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = "arn:aws:imagebuilder:us-east-1:000000000000:image-pipeline/acme-web"
    denied = (
        "<member><EvalActionName>imagebuilder:StartImagePipelineExecution</EvalActionName>"
        f"<EvalResourceName>{pipeline}</EvalResourceName><EvalDecision>implicitDeny</EvalDecision></member>"
    )
    simulated = (
        "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>"
        "<EvaluationResults>{}</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    )
    role = "<Role><Arn>arn:aws:iam::000000000000:role/team/ops</Arn></Role>"
    iam = {
        "GetRole": f"<GetRoleResponse><GetRoleResult>{role}</GetRoleResult></GetRoleResponse>",
        "StartImagePipelineExecution": simulated.format(denied),
        "Simulate": simulated.format(""),
    }
    with answering(iam) as iam_endpoint, answering({"": IDENTITY}) as sts, answering(QUOTAS) as quotas:
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", iam_endpoint)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", quotas)
        answer = doctor()
    found = lines(answer)
    assert found["permissions of goldsmith status"] == "ok allowed to arn:aws:iam::000000000000:role/team/ops"
    assert found["permissions of goldsmith build"] == (
        f"missing not allowed: imagebuilder:StartImagePipelineExecution on {pipeline}; ask for these permissions"
    )
    assert found["quota of vCPUs in us-east-1"] == (
        "missing the fleets at their maximum need 8 of 5; ask for more in Service Quotas (EC2, L-1216C47A)"
    )
    assert answer.status == 1


def test_what_cannot_be_checked_is_no_failure(doctor: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing("AccessDenied", "not you") as refused, answering({"": IDENTITY}) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", refused)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", refused)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts)
        answer = doctor("--json")
    checks = {check.pop("subject"): check for check in json.loads(answer.out)["checks"]}
    denied = "AWS does not allow {} in us-east-1: not you; ask for this permission"
    simulate = denied.format("SimulatePrincipalPolicy")
    assert checks["permissions"] == {
        "state": "unknown",
        "text": f"they could not be simulated: {simulate}",
        "remedy": "",
    }
    assert checks["quota of pipelines in us-east-1"]["text"] == denied.format("ListServiceQuotas")
    assert (answer.err, answer.status) == ("", 0)


def test_ec2_says_what_it_does_not_allow(doctor: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing("UnauthorizedOperation", "not you") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", endpoint)
        denied = lines(doctor())["permissions in EC2"]
    with refusing("DryRunOperation", "you may") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", endpoint)
        allowed = lines(doctor())["permissions in EC2"]
    assert denied.startswith("missing not allowed: describe_images in us-east-1, describe_instances in us-east-1, ")
    assert allowed == "ok allowed in us-east-1, eu-west-1"


TOOLS, PROD = "710000000001", "710000000002"
ACCOUNTS = f'{{tools: {{id: "{TOOLS}", role: doctor}}, prod: {{id: "{PROD}", role: doctor}}}}'
ELSEWHERE = (
    ESTATE.replace("namespace: acme", f"namespace: acme, accounts: {ACCOUNTS}")
    .replace("regions: [us-east-1", "account: tools, regions: [us-east-1")
    .replace("    channel:", "    account: prod\n    channel:")
)
ROLE, READER = f"arn:aws:iam::{PROD}:role/doctor", "acme_web_reader_us-east-1"


def test_each_account_and_its_role_is_checked(
    local_aws: LocalAws, doctor: Callable[..., Answer], tmp_path: Path
) -> None:
    local_aws.make_role("doctor", account=TOOLS, trusts=["000000000000"])
    (tmp_path / "estate.yaml").write_text(ELSEWHERE.replace(f'"{PROD}", role: doctor', f'"{PROD}", profile: nobody'))
    answer = doctor()
    found = lines(answer)
    assert found["account tools"] == f"ok arn:aws:sts::{TOOLS}:assumed-role/doctor/goldsmith in account {TOOLS}"
    missing = "The config profile (nobody) could not be found: "
    assert found["account prod"].startswith(f"missing {missing}")
    assert "permissions in EC2 (account tools)" in found
    assert found["fleet web-dev reads image web"].startswith(
        f"unknown account prod ({PROD}) cannot be reached: {missing}"
    )
    assert answer.status == 1


@pytest.mark.parametrize(
    ("trusted", "remedy"),
    [
        (None, "run goldsmith plan image-web and apply it first, which makes the role"),
        (("111111111111", "*"), f"run goldsmith plan image-web and apply it: the role does not trust {ROLE} yet"),
        ((PROD, "role/terraform"), f"run goldsmith plan image-web and apply it: the role does not trust {ROLE} yet"),
        ((PROD, "role/doctor"), f"allow sts:AssumeRole on it in the policies of {ROLE}"),
    ],
    ids=["no role", "other account", "other role", "trusted"],
)
def test_a_fleet_that_cannot_read_its_image_is_named_with_what_is_missing(
    local_aws: LocalAws, doctor: Callable[..., Answer], tmp_path: Path, trusted: tuple[str, str] | None, remedy: str
) -> None:
    for account in (TOOLS, PROD):
        local_aws.make_role("doctor", account=account, trusts=["000000000000"])
    iam = local_aws.client("iam", account=TOOLS)
    if trusted:
        # the second condition stands for a policy of the caller, which the local AWS does not have
        callers = {"aws:PrincipalArn": [f"arn:aws:iam::{trusted[0]}:{trusted[1]}"]}
        conditions = {"ArnLike": callers, "Bool": {"aws:MultiFactorAuthPresent": "true"}}
        principal = {"AWS": f"arn:aws:iam::{trusted[0]}:root"}
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, "Condition": conditions}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(RoleName=READER, AssumeRolePolicyDocument=policy)
    (tmp_path / "estate.yaml").write_text(ELSEWHERE)
    answer = doctor()
    if trusted:
        iam.delete_role(RoleName=READER)
    arn = f"arn:aws:iam::{TOOLS}:role/{READER}"
    assert lines(answer)["fleet web-dev reads image web"] == f"missing {ROLE} cannot assume {arn}; {remedy}"
    assert answer.status == 1


def test_the_role_of_auto_scaling_is_looked_for_where_fleets_of_other_accounts_need_it(
    local_aws: LocalAws, doctor: Callable[..., Answer], tmp_path: Path
) -> None:
    for account in (TOOLS, PROD):
        local_aws.make_role("doctor", account=account, trusts=["000000000000"])
    (tmp_path / "estate.yaml").write_text(ELSEWHERE)
    subject = "role of Auto Scaling (account prod)"
    assert lines(doctor())[subject] == (
        f"missing AWSServiceRoleForAutoScaling does not exist in account {PROD}, and no grant on the key of the AMIs "
        "can name it; make it there: aws iam create-service-linked-role --aws-service-name autoscaling.amazonaws.com"
    )
    iam = local_aws.client("iam", account=PROD)
    iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
    found = lines(doctor())
    iam.delete_role(RoleName="AWSServiceRoleForAutoScaling")
    role = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    assert found[subject] == f"ok arn:aws:iam::{PROD}:role/{role}"
    assert "role of Auto Scaling (account tools)" not in found


def test_a_fleet_that_can_read_its_image_is_well(
    local_aws: LocalAws, doctor: Callable[..., Answer], tmp_path: Path
) -> None:
    for account in (TOOLS, PROD):
        local_aws.make_role("doctor", account=account, trusts=["000000000000"])
    arn = local_aws.make_role(READER, account=TOOLS, trusts=[PROD])
    (tmp_path / "estate.yaml").write_text(ELSEWHERE)
    answer = doctor()
    local_aws.client("iam", account=TOOLS).delete_role(RoleName=READER)
    assert lines(answer)["fleet web-dev reads image web"] == f"ok with {arn}"


def test_calls_have_the_name_of_the_program_in_their_user_agent(
    local_aws: LocalAws, doctor: Callable[..., Answer]
) -> None:
    local_aws.record_calls("goldsmith")
    doctor()
    called = {call.operation for call in local_aws.calls()}
    local_aws.record_calls(None)
    assert called >= {"DescribeImages", "GetCallerIdentity"}


@pytest.mark.parametrize("options", [("--region", "eu-west-1"), ("--architecture", "arm64")])
def test_options_of_parent_need_it(doctor: Callable[..., Answer], options: tuple[str, ...]) -> None:
    answer = doctor(*options)
    words = "--region and --architecture are for --parent; without it, the configuration decides\n"
    assert (answer.out, answer.err, answer.status) == ("", words, 2)


def test_what_another_estate_has_to_allow_is_said(
    local_aws: LocalAws, doctor: Callable[..., Answer], tmp_path: Path
) -> None:
    local_aws.make_role("doctor", account=PROD, trusts=["000000000000"])
    image = "{external: {namespace: platform, account: tools, name: base}"
    own = "{os: amazon-linux-2023, build: [update-os], account: tools"
    (tmp_path / "estate.yaml").write_text(ELSEWHERE.replace(own, image))
    answer = doctor()
    found = lines(answer)
    role = f"arn:aws:iam::{TOOLS}:role/platform_base_reader_us-east-1"
    assert found["fleet web-dev reads image web"] == (
        f"missing {ROLE} cannot assume {role}; the estate platform has to write external_fleets: true for image base, "
        f"and account {PROD} in its launch_permission or target_accounts; {ROLE} needs sts:AssumeRole on it"
    )
    assert "account tools" not in found, "nothing is made there"
