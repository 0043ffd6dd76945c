"""The component patch-installed, its Linux steps run for real among package managers of every family."""

from collections.abc import Mapping

import pytest

from tests.support.scratch_system import NewSystem, System, last_line
from tests.support.stand_ins import FAMILIES

# Compares as rpm does, where both have no letters; a package's file holds a line for each version that is installed.
RPM = r"""
case $1 in
  --eval)
    [[ $2 =~ ^%\{lua:print\(rpm\.vercmp\(\'(.*)\',\ \'(.*)\'\)\)\}$ ]] || exit 1
    one=${BASH_REMATCH[1]} two=${BASH_REMATCH[2]}
    if [[ $one == "$two" ]]; then echo 0; exit; fi
    first=$(printf '%s\n' "$one" "$two" | sort -V | head -n 1)
    if [[ $first == "$one" ]]; then echo -1; else echo 1; fi ;;
  --query)
    file=/var/lib/packages/${@: -1}
    if [[ ! -e $file ]]; then echo "package ${@: -1} is not installed"; exit 1; fi
    if [[ $2 == --queryformat ]]; then cat "$file"; else echo "${@: -1}-1"; fi ;;
esac
"""
DPKG = r"""
first=$(printf '%s\n' "$2" "$4" | sort -V | head -n 1)
case $3 in
  ge) [[ $first == "$4" ]] ;;
  gt) [[ $first == "$4" && $2 != "$4" ]] ;;
esac
"""
INSTALLED = {
    "rpm": {"openssl": "1:3.0.7-25.el9\n", "bash": "0:5.1.8-9.el9\n", "kernel": "0:5.14.0-70\n0:5.14.0-503\n"},
    "dpkg": {"openssl": "1:3.0.7-25\n", "bash": "5.1.8-9\n", "kernel": "5.14.0-503\n"},
}
EACH_FAMILY = pytest.mark.parametrize("manager", FAMILIES)


def patched(system: NewSystem, os: str, commands: Mapping[str, str] | None = None) -> System:
    """A system with a few packages, and no update that is pending."""
    held = INSTALLED["dpkg" if os.startswith("ubuntu") else "rpm"]
    tools = {"dpkg": DPKG} if os.startswith("ubuntu") else {"rpm": RPM}
    return system(
        os=os,
        files={f"/var/lib/packages/{name}": versions for name, versions in held.items()},
        commands={**tools, **(commands or {})},
    )


def said(one: System, packages: str = "", *, status: int) -> str:
    """The output of the test, which must end with this status."""
    found, output = one.run("patch-installed", phase="test", values={"packages": packages})
    assert found == status, output
    return last_line(output)


@EACH_FAMILY
@pytest.mark.parametrize(
    "packages",
    [
        "bash",
        "openssl>=3.0.7",
        "openssl>=3.0.7-25",
        "openssl>=1:3.0.7-24 bash>=5.0",
        "openssl>=3.0.7-3",
        "kernel>=5.14.0-503",
        "bash>=5.1\nopenssl",
    ],
)
def test_packages_may_be_as_asked_or_later(system: NewSystem, manager: str, packages: str) -> None:
    one = patched(system, FAMILIES[manager])
    assert said(one, packages, status=0) == "patch-installed: no security updates pending"


@EACH_FAMILY
@pytest.mark.parametrize(
    ("packages", "lacking"),
    [
        ("nginx", "nginx"),
        ("openssl>=3.0.8", "openssl>=3.0.8"),
        ("openssl>=3.0.10", "openssl>=3.0.10"),
        ("openssl>=3.0.7-101", "openssl>=3.0.7-101"),
        ("openssl>=2:1.0", "openssl>=2:1.0"),
        ("bash kernel>=5.14.0-504 nginx>=1", "kernel>=5.14.0-504 nginx>=1"),
    ],
)
def test_says_which_packages_are_missing_or_too_old(
    system: NewSystem, manager: str, packages: str, lacking: str
) -> None:
    one = patched(system, FAMILIES[manager])
    found = said(one, packages, status=1)
    assert found == f"patch-installed: missing or too old: {lacking}; install or update them in the image"


def test_prints_what_it_found(system: NewSystem) -> None:
    values = {"packages": "kernel>=5.14.0-100 nginx"}
    output = patched(system, "rhel-9").run("patch-installed", phase="test", values=values)[1]
    assert output.splitlines()[:3] == [
        "patch-installed: kernel 0:5.14.0-70 is installed",
        "patch-installed: kernel 0:5.14.0-503 is installed",
        "patch-installed: nginx is not installed",
    ]


PENDING = "patch-installed: security updates are pending; add update-os"


@pytest.mark.parametrize(
    ("os", "asked"),
    [
        ("amazon-linux-2023", "dnf --quiet --refresh check-update --security --releasever=latest"),
        ("rhel-9", "dnf --quiet --refresh check-update --security"),
        ("amazon-linux-2", "yum --quiet check-update --security"),
        ("rhel-7", "yum --quiet check-update --security"),
    ],
)
def test_dnf_and_yum_show_pending_updates_by_their_status(system: NewSystem, os: str, asked: str) -> None:
    manager = asked.split()[0]
    one = patched(system, os)
    assert said(one, status=0) == "patch-installed: no security updates pending"
    assert one.calls()[-1] == asked
    one.add_command(manager, "echo openssl.x86_64 3.0.7-27; exit 100")
    assert said(one, status=1) == PENDING


@pytest.mark.parametrize(("os", "manager"), [("centos-7", "yum"), ("centos-8", "dnf")])
def test_no_update_at_all_may_be_pending_on_centos(system: NewSystem, os: str, manager: str) -> None:
    one = patched(system, os)
    assert said(one, status=0) == "patch-installed: no updates pending"
    assert one.calls()[-1].endswith("check-update")
    one.add_command(manager, "exit 100")
    assert said(one, status=1) == "patch-installed: updates are pending; add update-os"


@pytest.mark.parametrize(("status", "passes"), [(0, True), (100, True), (101, False)])
def test_zypper_shows_pending_patches_by_its_status(system: NewSystem, status: int, passes: bool) -> None:
    one = patched(system, "sles-15", {"zypper": f"[[ $* != *patch-check* ]] || exit {status}"})
    found = said(one, status=0 if passes else 1)
    assert found == ("patch-installed: no security updates pending" if passes else PENDING)
    assert ("zypper --non-interactive list-patches --category security" in one.calls()) is not passes


# bash has a newer version for other reasons only; openssl has one for security, behind a newer one for others.
APT = """
case $* in
  *--simulate*dist-upgrade*)
    echo "Inst bash [5.1.8-9] (5.1.9-1 Ubuntu:24.04/noble-updates [amd64])"
    echo "Inst linux-image-6 (6.8 Ubuntu:24.04/noble-security [amd64])"
    if [[ -e /run/vulnerable ]]; then
      echo "Inst openssl [1:3.0.7-25] (1:3.0.7-29 Ubuntu:24.04/noble-updates [amd64])"
      echo "Conf openssl (1:3.0.7-29 Ubuntu:24.04/noble-updates [amd64])"
    fi ;;
esac
"""
APT_CACHE = """
case $2 in
  bash)
    echo " bash | 5.1.9-1 | http://archive.ubuntu.com/ubuntu noble-updates/main amd64 Packages"
    echo " bash | 5.1.8-8 | http://archive.ubuntu.com/ubuntu noble-security/main amd64 Packages" ;;
  openssl)
    echo " openssl | 1:3.0.7-29 | http://archive.ubuntu.com/ubuntu noble-updates/main amd64 Packages"
    echo " openssl | 1:3.0.7-27 | http://security.ubuntu.com/ubuntu noble-security/main amd64 Packages" ;;
esac
"""


def test_apt_shows_pending_updates_by_their_source(system: NewSystem) -> None:
    one = patched(system, "ubuntu-24.04", {"apt-get": APT, "apt-cache": APT_CACHE})
    assert said(one, status=0) == "patch-installed: no security updates pending"
    one.write({"/run/vulnerable": ""})
    status, output = one.run("patch-installed", phase="test")
    assert status == 1
    assert output.splitlines()[-2:] == [
        "patch-installed: openssl 1:3.0.7-25 lacks 1:3.0.7-27 of noble-security/main",
        "patch-installed: security updates are pending: openssl; add update-os",
    ]


def test_waits_for_another_apt_to_finish(system: NewSystem) -> None:
    busy_twice = '[[ $* != update || $(grep -c "apt-get update" "$calls") -gt 2 ]]'
    one = patched(system, "ubuntu-16.04", {"apt-get": busy_twice})
    assert said(one, status=0) == "patch-installed: no security updates pending"
    assert one.calls().count("apt-get update") == 3


@pytest.mark.parametrize(
    ("manager", "script"), [("dnf", "exit 1"), ("yum", "exit 1"), ("zypper", "[[ $* != *check* ]] || exit 6")]
)
def test_repositories_that_do_not_answer_are_not_taken_for_no_updates(
    system: NewSystem, manager: str, script: str
) -> None:
    found = said(patched(system, FAMILIES[manager], {manager: script}), status=1)
    assert found.startswith("patch-installed: the repositories do not say what is pending: status ")


def test_apt_that_fails_fails_the_test(system: NewSystem) -> None:
    one = patched(system, "ubuntu-24.04", {"apt-get": "[[ $* != *--simulate* ]] || { echo E: broken; exit 100; }"})
    assert said(one, status=1) == "patch-installed: apt-get does not say what is pending"


@EACH_FAMILY
def test_pending_updates_may_be_left_alone(system: NewSystem, manager: str) -> None:
    one = patched(system, FAMILIES[manager], {manager: "exit 1"})
    values = {"security_updates": "false", "packages": "bash"}
    status, output = one.run("patch-installed", phase="test", values=values)
    assert (status, output.splitlines()[-1]) == (0, "patch-installed: security updates may be pending")
    assert not [call for call in one.calls() if call.startswith(manager)]


def test_says_that_it_knows_no_package_manager(system: NewSystem) -> None:
    one = system(os="rhel-9", without=["dnf", "yum"])
    assert said(one, status=1) == "patch-installed: none of dnf, yum, apt-get and zypper is here"
