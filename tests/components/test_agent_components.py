"""cloudwatch-agent and ssm-agent on Linux, run for real in scratch systems with stand-ins for AWS's packages.

Files that a system downloads are in `/srv/web/`, by host and path. A signature is text: the checksum of what is signed,
and the fingerprint of the key.
"""

import hashlib
from collections.abc import Mapping

import pytest

from tests.support.scratch_system import NewSystem, built_twice, last_line

CURL = r"""
while (( $# > 1 )); do
  if [[ $1 == --output ]]; then output=$2; fi
  shift
done
file=/srv/web/${1#https://}
if [[ ! -f $file ]]; then echo 'curl: (22) The requested URL returned error: 404' >&2; exit 22; fi
cp "$file" "$output"
"""
GPG = r"""
if [[ $* != *--verify* ]]; then grep -q KEY "${@: -1}"; exit; fi
read -r checksum fingerprint < "${@: -2:1}"
[[ $(sha256sum < "${@: -1}") == "$checksum "* ]] || { echo 'gpg: BAD signature' >&2; exit 1; }
echo "[GNUPG:] VALIDSIG $fingerprint 2026-01-01 1767225600 0 4 0 1 8 00 $fingerprint"
"""
FINGERPRINT = "937616F3450B7D806CBD9725D58167303B789C72"
CLOUDWATCH = "/opt/aws/amazon-cloudwatch-agent"

# What installing the CloudWatch agent leaves: its program, and one that makes settings of a configuration in JSON.
AGENT = f"""mkdir -p {CLOUDWATCH}/bin {CLOUDWATCH}/etc {CLOUDWATCH}/logs
echo 1.300051 > {CLOUDWATCH}/bin/CWAGENT_VERSION
echo 'it cannot send' > {CLOUDWATCH}/logs/amazon-cloudwatch-agent.log
touch {CLOUDWATCH}/bin/amazon-cloudwatch-agent
cat > {CLOUDWATCH}/bin/amazon-cloudwatch-agent-ctl <<'END'
#!/bin/bash
if [[ $2 == status ]]; then echo '{{"status": "running"}}'; exit 0; fi
source=${{@: -1}}
if [[ $source == file:* ]]; then
  grep -q '^{{' "${{source#file:}}" || {{ echo 'invalid JSON' >&2; exit 1; }}
  source=$(cat "${{source#file:}}")
fi
echo "made of $source" > {CLOUDWATCH}/etc/amazon-cloudwatch-agent.toml
END
chmod 755 {CLOUDWATCH}/bin/*
"""

AMAZON = ("amazon-linux-2", "amazon-linux-2023")
PACKAGES = {
    "rhel-7": "redhat/amd64/latest/amazon-cloudwatch-agent.rpm",
    "rhel-9": "redhat/amd64/latest/amazon-cloudwatch-agent.rpm",
    "centos-8": "redhat/amd64/latest/amazon-cloudwatch-agent.rpm",
    "ubuntu-16.04": "ubuntu/amd64/latest/amazon-cloudwatch-agent.deb",
    "ubuntu-24.04": "ubuntu/amd64/latest/amazon-cloudwatch-agent.deb",
    "sles-12": "suse/amd64/latest/amazon-cloudwatch-agent.rpm",
    "sles-15": "suse/amd64/latest/amazon-cloudwatch-agent.rpm",
}
COMMANDS = {"curl": CURL, "gpg": GPG, "uname": "echo x86_64"}


def published(path: str, *, fingerprint: str = FINGERPRINT, package: str = "") -> dict[str, str]:
    """What AWS publishes: a package, its signature and the key; and the package's effect once it is installed."""
    text = "amazon-cloudwatch-agent 1.300051\n"
    signed = hashlib.sha256(text.encode()).hexdigest()
    web = "/srv/web/amazoncloudwatch-agent.s3.amazonaws.com"
    return {
        f"{web}/{path}": package or text,
        f"{web}/{path}.sig": f"{signed} {fingerprint}\n",
        f"{web}/assets/amazon-cloudwatch-agent.gpg": "PUBLIC KEY\n",
        "/var/lib/after/amazon-cloudwatch-agent": AGENT,
    }


@pytest.mark.parametrize("os", [*AMAZON, *PACKAGES])
def test_installs_configures_and_enables_the_cloudwatch_agent(system: NewSystem, os: str) -> None:
    files = {"/var/lib/after/amazon-cloudwatch-agent": AGENT} if os in AMAZON else published(PACKAGES[os])
    one = system(os=os, files=files, commands=COMMANDS)
    output = built_twice(one, "cloudwatch-agent")
    assert ("the signature of " in output) == (os not in AMAZON)
    assert "mem_used_percent" in one.files()[f"{CLOUDWATCH}/etc/amazon-cloudwatch-agent.toml"][1]
    assert "/run/units/enabled/amazon-cloudwatch-agent" in one.files()
    assert "/run/units/active/amazon-cloudwatch-agent" not in one.files(), "the image's instances start it"
    assert not [path for path in one.files() if path.startswith("/tmp/") and path != "/tmp/"]


def test_takes_the_package_of_the_architecture(system: NewSystem) -> None:
    path = "ubuntu/arm64/latest/amazon-cloudwatch-agent.deb"
    one = system(os="ubuntu-24.04", files=published(path), commands={**COMMANDS, "uname": "echo aarch64"})
    built_twice(one, "cloudwatch-agent")


def test_a_newer_package_replaces_an_older_one(system: NewSystem) -> None:
    files = {"/var/lib/packages/amazon-cloudwatch-agent": "1.2\n", **published(PACKAGES["rhel-9"])}
    output = built_twice(system(os="rhel-9", files=files, commands=COMMANDS), "cloudwatch-agent")
    assert "installing amazon-cloudwatch-agent-1.300051; there was: amazon-cloudwatch-agent-1.2\n" in output


@pytest.mark.parametrize("os", ["rhel-9", "ubuntu-24.04"])
def test_an_older_package_does_not_replace_a_newer_one(system: NewSystem, os: str) -> None:
    files = {"/var/lib/packages/amazon-cloudwatch-agent": "1.300100\n", **published(PACKAGES[os])}
    one = system(os=os, files=files, commands=COMMANDS)
    one.bash("bash /var/lib/after/amazon-cloudwatch-agent")
    assert "1.300100 is installed already\n" in built_twice(one, "cloudwatch-agent")
    assert one.files()["/var/lib/packages/amazon-cloudwatch-agent"][1] == "1.300100\n"


def test_the_configuration_may_be_a_parameter(system: NewSystem) -> None:
    one = system(os="rhel-9", files=published(PACKAGES["rhel-9"]), commands=COMMANDS)
    built_twice(one, "cloudwatch-agent", {"configuration": "ssm:AmazonCloudWatch-web"})
    made = one.files()[f"{CLOUDWATCH}/etc/amazon-cloudwatch-agent.toml"][1]
    assert made == "made of ssm:AmazonCloudWatch-web\n"


NOT_SIGNED = (
    "cloudwatch-agent: amazon-cloudwatch-agent.rpm from https://amazoncloudwatch-agent.s3.amazonaws.com is not signed "
    "by the key of the CloudWatch agent: not installed"
)


@pytest.mark.parametrize("broken", [{"fingerprint": "0" * 40}, {"package": "amazon-cloudwatch-agent 6.6.6\n"}])
def test_a_package_that_aws_did_not_sign_is_not_installed(system: NewSystem, broken: Mapping[str, str]) -> None:
    one = system(os="rhel-9", files=published(PACKAGES["rhel-9"], **broken), commands=COMMANDS)
    status, output = one.run("cloudwatch-agent", phase="build")
    assert (status, last_line(output)) == (1, NOT_SIGNED)
    assert not [call for call in one.calls() if call.startswith("rpm --upgrade")]


@pytest.mark.parametrize(
    ("os", "commands", "without", "said"),
    [
        ("rhel-9", {}, ["curl"], "curl is not installed: let install-packages do it before this component"),
        ("rhel-9", {}, ["gpg"], "gpg is not installed: let install-packages do it before this component"),
        ("rhel-9", {"uname": "echo riscv64"}, [], "AWS publishes no package for riscv64"),
        (
            "amazon-linux-2",
            {"yum": "exit 1"},
            [],
            "yum could not install amazon-cloudwatch-agent; see its messages above",
        ),
        (
            "ubuntu-24.04",
            {},
            [],
            "could not download https://amazoncloudwatch-agent.s3.amazonaws.com/ubuntu/amd64/latest/"
            "amazon-cloudwatch-agent.deb",
        ),
        (
            "rhel-9",
            {"rpm": "[[ $* == *--package* ]] && echo new"},
            [],
            "rpm could not install amazon-cloudwatch-agent.rpm; see its messages above",
        ),
    ],
)
def test_says_why_the_cloudwatch_agent_is_not_installed(
    system: NewSystem, os: str, commands: Mapping[str, str], without: list[str], said: str
) -> None:
    one = system(os=os, files=published(PACKAGES["rhel-9"]), commands={**COMMANDS, **commands}, without=without)
    status, output = one.run("cloudwatch-agent", phase="build")
    assert (status, last_line(output)) == (1, f"cloudwatch-agent: {said}")


def test_says_that_the_configuration_is_not_good(system: NewSystem) -> None:
    one = system(files={"/var/lib/after/amazon-cloudwatch-agent": AGENT})
    status, output = one.run("cloudwatch-agent", phase="build", values={"configuration": "metrics: {}"})
    assert status == 1
    assert output.splitlines()[-2:] == [
        "invalid JSON",
        f"cloudwatch-agent: the configuration file:{CLOUDWATCH}/etc/image.json is not good; the messages above say why",
    ]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (f"rm {CLOUDWATCH}/bin/amazon-cloudwatch-agent", f"{CLOUDWATCH}/bin/amazon-cloudwatch-agent is not there"),
        (
            f": > {CLOUDWATCH}/etc/amazon-cloudwatch-agent.toml",
            f"{CLOUDWATCH}/etc/amazon-cloudwatch-agent.toml, made of the configuration, is not there",
        ),
        ("systemctl disable amazon-cloudwatch-agent", "amazon-cloudwatch-agent.service is not enabled"),
    ],
)
def test_finds_a_cloudwatch_agent_that_would_not_start(system: NewSystem, broken: str, said: str) -> None:
    one = system(files={"/var/lib/after/amazon-cloudwatch-agent": AGENT})
    built_twice(one, "cloudwatch-agent")
    assert one.bash(broken)[0] == 0
    status, output = one.run("cloudwatch-agent", phase="validate")
    assert (status, last_line(output)) == (1, f"cloudwatch-agent: {said}")


def test_the_cloudwatch_agent_runs_on_an_instance(system: NewSystem) -> None:
    one = system(files={"/var/lib/after/amazon-cloudwatch-agent": AGENT})
    built_twice(one, "cloudwatch-agent")
    status, output = one.run("cloudwatch-agent", phase="test", values={"wait_seconds": "0"})
    assert status == 1
    assert output.splitlines() == [
        "it cannot send",
        "cloudwatch-agent: it does not run after 0 seconds; its log is above",
    ]
    assert one.bash("systemctl start amazon-cloudwatch-agent")[0] == 0
    status, output = one.run("cloudwatch-agent", phase="test")
    assert (status, last_line(output)) == (0, "cloudwatch-agent: it runs")


# ssm-agent

SSM = "/srv/web/s3.amazonaws.com/ec2-downloads-windows/SSMAgent/latest"
SSM_PACKAGES = {
    "rhel-7": f"{SSM}/linux_amd64/amazon-ssm-agent.rpm",
    "sles-12": f"{SSM}/linux_amd64/amazon-ssm-agent.rpm",
    "ubuntu-16.04": f"{SSM}/debian_amd64/amazon-ssm-agent.deb",
}
VERSION = 'echo "SSM Agent version: $(cat /var/lib/packages/amazon-ssm-agent)"'
SSM_COMMANDS = {**COMMANDS, "amazon-ssm-agent": VERSION}
SNAP = "[[ $1 == list || $1 == refresh ]] && echo 'amazon-ssm-agent 3.3.1611.0'"
SNAP_FILES = {
    "/snap/amazon-ssm-agent/current/amazon-ssm-agent": (0o755, "#!/bin/bash\necho 'SSM Agent version: 3.3.9'\n")
}


@pytest.mark.parametrize("os", [*AMAZON, *SSM_PACKAGES])
def test_installs_the_newest_ssm_agent_and_enables_it(system: NewSystem, os: str) -> None:
    newest = "amazon-ssm-agent 3.3.1611.0\n"
    files = {
        "/var/lib/packages/amazon-ssm-agent": "3.1.0\n",
        **(
            {SSM_PACKAGES[os]: newest}
            if os in SSM_PACKAGES
            else {"/var/lib/repository/amazon-ssm-agent": "3.3.1611.0\n"}
        ),
        "/tmp/imagebuilder_service/ssm_installed": "rpm\n",
    }
    one = system(os=os, files=files, commands=SSM_COMMANDS)
    built_twice(one, "ssm-agent", {"minimum_version": "3.3"})
    assert one.files()["/var/lib/packages/amazon-ssm-agent"] == (0o644, "3.3.1611.0\n")
    assert {"/run/units/enabled/amazon-ssm-agent", "/run/units/active/amazon-ssm-agent"} <= set(one.files())
    assert "/tmp/imagebuilder_service/ssm_installed" not in one.files(), "Image Builder would remove the agent"
    assert not [call for call in one.calls() if "restart" in call], "a restart could end the build"


@pytest.mark.parametrize("os", SSM_PACKAGES)
def test_keeps_an_ssm_agent_that_is_newer_than_the_published_one(system: NewSystem, os: str) -> None:
    files = {"/var/lib/packages/amazon-ssm-agent": "3.3.10.0\n", SSM_PACKAGES[os]: "amazon-ssm-agent 3.3.9.0\n"}
    one = system(os=os, files=files, commands=SSM_COMMANDS)
    assert "3.3.10.0 is installed already\n" in built_twice(one, "ssm-agent")
    assert one.files()["/var/lib/packages/amazon-ssm-agent"][1] == "3.3.10.0\n"


def test_refreshes_the_snap_of_the_ssm_agent(system: NewSystem) -> None:
    one = system(os="ubuntu-24.04", files=SNAP_FILES, commands={**COMMANDS, "snap": SNAP})
    built_twice(one, "ssm-agent")
    assert "snap refresh amazon-ssm-agent" in one.calls()
    assert "/run/units/enabled/snap.amazon-ssm-agent.amazon-ssm-agent" in one.files()
    assert not [call for call in one.calls() if call.startswith("curl")]


@pytest.mark.parametrize(
    ("os", "commands", "without", "said"),
    [
        ("rhel-9", {}, ["curl"], "curl is not installed: let install-packages do it before this component"),
        ("rhel-9", {"uname": "echo riscv64"}, [], "AWS publishes no package for riscv64"),
        ("amazon-linux-2", {"yum": "exit 1"}, [], "yum could not install amazon-ssm-agent; see its messages above"),
        (
            "ubuntu-24.04",
            {"snap": "[[ $1 == list ]]"},
            [],
            "snap could not refresh amazon-ssm-agent; see its messages above",
        ),
        (
            "sles-15",
            {},
            [],
            "could not download https://s3.amazonaws.com/ec2-downloads-windows/SSMAgent/latest/linux_amd64/"
            "amazon-ssm-agent.rpm",
        ),
    ],
)
def test_says_why_the_ssm_agent_is_not_installed(
    system: NewSystem, os: str, commands: Mapping[str, str], without: list[str], said: str
) -> None:
    one = system(os=os, commands={**SSM_COMMANDS, **commands}, without=without)
    status, output = one.run("ssm-agent", phase="build")
    assert (status, last_line(output)) == (1, f"ssm-agent: {said}")


@pytest.mark.parametrize("phase", ["validate", "test"])
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("rm /usr/local/stand-ins/amazon-ssm-agent", "amazon-ssm-agent is not installed, or does not tell its version"),
        ("echo 3.2.9 > /var/lib/packages/amazon-ssm-agent", "version 3.2.9 is older than 3.2.10"),
        ("systemctl disable amazon-ssm-agent", "amazon-ssm-agent.service is not enabled"),
        (
            "systemctl stop amazon-ssm-agent",
            "amazon-ssm-agent.service does not run; journalctl --unit amazon-ssm-agent.service says why",
        ),
    ],
)
def test_finds_an_ssm_agent_that_does_not_serve(system: NewSystem, phase: str, broken: str, said: str) -> None:
    one = system(files={"/var/lib/repository/amazon-ssm-agent": "3.3.1\n"}, commands=SSM_COMMANDS)
    built_twice(one, "ssm-agent")
    assert one.bash(broken)[0] == 0
    status, output = one.run("ssm-agent", phase=phase, values={"minimum_version": "3.2.10"})
    assert (status, last_line(output)) == (1, f"ssm-agent: {said}")
