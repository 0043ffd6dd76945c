"""Scans what the examples synthesize: checkov all of it, tf-nag the plans of some stacks, made against the local AWS.

`make scan` installs both in `.venv/scan`. It fails on a finding, unless its rule is left out with a reason in
`.checkov.yaml` or `.tfnag.json`; on a rule that is left out but finds nothing; and on a stack that was not scanned.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import entry
from local_aws.server import LocalAws
from scripts import terraform

PROJECT = Path(__file__).parent.parent
TOOLS = PROJECT / ".venv" / "scan" / "bin"
LEFT_OUT_BY_CHECKOV, LEFT_OUT_BY_TF_NAG = PROJECT / ".checkov.yaml", PROJECT / ".tfnag.json"
PLANNED = (
    ("config", "image-web"),
    ("config", "fleet-web-dev"),
    ("containers", "image-shop"),
    ("environments", "image-web"),
    ("workflows", "image-ledger"),
)
"""Estates and stacks that tf-nag scans. Together they have every type of resource; each takes six seconds."""

HOME = "ap-northeast-1"
"""The home of the sample's image and fleet."""


def main() -> int:
    """Scan, and print all findings whose rule is not left out; gives the exit status."""
    entry.raise_on_interrupt()
    with tempfile.TemporaryDirectory(prefix="goldsmith-scan-") as folder:
        stacks = _synthesize(Path(folder))
        problems = [*_checkov(Path(folder)), *_tf_nag(Path(folder))]
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"scan: {len(stacks)} stacks by checkov, {len(PLANNED)} by tf-nag: {len(problems)} findings without a reason")
    return 1 if problems else 0


def _synthesize(folder: Path) -> list[Path]:
    estates = [PROJECT / "config", *(each for each in (PROJECT / "examples").iterdir() if any(each.glob("*.yaml")))]
    for estate in estates:
        environ = {**os.environ, "GOLDSMITH_CONFIG": str(estate), "CDKTF_OUTDIR": str(folder / estate.name)}
        subprocess.run([sys.executable, "main.py"], cwd=PROJECT, env=environ, check=True, stderr=subprocess.DEVNULL)
    stacks = sorted(folder.glob("*/stacks/*/cdk.tf.json"))
    for stack in stacks:
        # checkov cannot read blocks without a label in JSON, and such a stack would not be scanned at all
        content = json.loads(stack.read_text())
        if content.pop("removed", None):
            stack.write_text(json.dumps(content))
    return stacks


def _checkov(folder: Path) -> Iterator[str]:
    """Runs in a folder without settings, so rules that are left out run as well, and can be found useless."""
    report = _report(
        "checkov", "-d", folder, "--framework", "terraform_json", "--skip-download", "-o", "json", cwd=folder
    )
    left_out = set(YAML(typ="safe").load(LEFT_OUT_BY_CHECKOV)["skip-check"])
    failed = report["results"]["failed_checks"]
    for each in failed:
        if each["check_id"] not in left_out:
            yield f"{each['check_id']} {each['check_name']}: {each['file_path']}: {each['resource']}"
    for rule in sorted(left_out - {each["check_id"] for each in failed}):
        yield f"{rule} is left out in {LEFT_OUT_BY_CHECKOV.name} but finds nothing: remove it there"
    # checkov does not report a file that it cannot read
    seen = {each["file_path"] for each in [*failed, *report["results"]["passed_checks"]]}
    for stack in folder.glob("*/stacks/image-*/cdk.tf.json"):
        if f"/{stack.relative_to(folder)}" not in seen:
            yield f"checkov has scanned nothing in {stack.relative_to(folder)}"


def _tf_nag(folder: Path) -> Iterator[str]:
    used = set()
    with LocalAws() as aws:
        environ = terraform.environment(aws.environment(), folder=folder)
        _prepare(aws)
        for estate, name in PLANNED:
            stack = folder / estate / "stacks" / name
            plan = stack / "plan.json"
            plan.write_text(json.dumps(_plan(stack, environ)))
            arguments = ("--plan-json", plan, "--suppressions", LEFT_OUT_BY_TF_NAG, "--format", "json")
            for each in _report("tf-nag", "scan", *arguments, cwd=folder):
                if each["suppression"]:
                    used.add(each["rule_id"])
                else:
                    yield f"{each['rule_id']} {each['message']}: {estate}/{name}: {each['address']}"
    for rule in sorted({each["id"] for each in json.loads(LEFT_OUT_BY_TF_NAG.read_text())["suppressions"]} - used):
        yield f"{rule} is left out in {LEFT_OUT_BY_TF_NAG.name} but finds nothing: remove it there"


def _report(tool: str, *arguments: str | Path, cwd: Path) -> Any:
    """The JSON report of a scanner. Its exit status does not distinguish findings from a failure."""
    done = subprocess.run([TOOLS / tool, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        sys.exit(f"{tool} printed no JSON and ended with status {done.returncode}: {done.stderr or done.stdout}")


def _prepare(aws: LocalAws) -> None:
    """Make what the plans need: the role that one estate assumes, and for the sample's fleet a subnet and a build."""
    aws.make_role("terraform", account="111122223333", trusts=["000000000000"])
    ec2 = aws.client("ec2", region=HOME)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    private = [{"ResourceType": "subnet", "Tags": [{"Key": "tier", "Value": "private"}]}]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", TagSpecifications=private)
    build = f"arn:aws:imagebuilder:{HOME}:000000000000:image/acme-web/1.0.1/1"
    tags = [{"Key": "CreatedBy", "Value": "EC2 Image Builder"}, {"Key": "Ec2ImageBuilderArn", "Value": build}]
    ami = ec2.register_image(
        Name="acme.web.2026-01-01T00-00-00.000Z",
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        TagSpecifications=[{"ResourceType": "image", "Tags": tags}],
    )["ImageId"]
    parameter = "/imagebuilder/acme/web/latest"
    aws.client("ssm", region=HOME).put_parameter(Name=parameter, Value=ami, Type="String", DataType="aws:ec2:image")


def _plan(stack: Path, environ: Mapping[str, str]) -> Any:
    """The plan as JSON.

    A value that is known only after the apply, like a policy with the ARN of a new topic, is taken from the stack as it
    is written there. Otherwise tf-nag would not scan any policy.
    """
    # a local state, instead of the estate's own backend
    (stack / "backend_override.tf.json").write_text(json.dumps({"terraform": {"backend": {"local": {}}}}))
    terraform.run("init", folder=stack, environ=environ)
    terraform.run("plan", "-out=plan", "-lock=false", folder=stack, environ=environ)
    plan = json.loads(terraform.run("show", "-json", "plan", folder=stack, environ=environ))
    written = json.loads((stack / "cdk.tf.json").read_text())["resource"]
    resources = plan["planned_values"]["root_module"]["resources"]
    # a resource without any known value has no "values"
    planned = {each["address"]: each.setdefault("values", {}) for each in resources}
    for each in plan["resource_changes"]:
        reference = f"{each['type']}.{each['name']}"
        known = {key: f"${{{reference}.{key}}}" for key in ("arn", "id")} | written.get(each["type"], {}).get(
            each["name"], {}
        )
        unknown = each["change"].get("after_unknown", {})
        for key, value in known.items():
            if unknown.get(key) is True and isinstance(value, str):
                del unknown[key]
                each["change"]["after"][key] = planned[each["address"]][key] = value
    return plan


if __name__ == "__main__":
    entry.run(".venv/bin/python -m scripts.scan", main)
