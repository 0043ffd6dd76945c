"""update-os and install-packages, Linux, run for real in scratch systems of every package family."""

import pytest

from tests.support.scratch_system import Files, NewSystem, built_twice, last_line
from tests.support.stand_ins import FAMILIES

EACH_FAMILY = pytest.mark.parametrize("manager", FAMILIES)


# update-os


@EACH_FAMILY
def test_updates_what_the_repositories_have_newer(system: NewSystem, manager: str) -> None:
    one = system(
        os=FAMILIES[manager],
        files={"/var/lib/packages/openssl": "3.0.1\n", "/var/lib/repository/openssl": "3.0.9\n"},
    )
    output = built_twice(one, "update-os")
    assert output.splitlines()[0].endswith(f" with {manager}")
    assert one.files()["/var/lib/packages/openssl"] == (0o644, "3.0.9\n")
    assert "Reboot" in one.calls()


def test_moves_amazon_linux_2023_to_its_newest_release(system: NewSystem) -> None:
    one = system(os="amazon-linux-2023")
    assert one.run("update-os", phase="build")[0] == 0
    assert one.calls() == ["dnf --assumeyes --refresh --releasever=latest upgrade", "Reboot"]


def test_an_update_that_asks_for_a_restart_has_succeeded_for_zypper(system: NewSystem) -> None:
    one = system(os="sles-12", commands={"zypper": "[[ $* == *update* ]] && exit 102; exit 0"})
    assert one.run("update-os", phase="build")[0] == 0


def test_runs_zypper_again_when_it_has_updated_itself(system: NewSystem) -> None:
    again = "[[ $* == *' update '* ]] || exit 0; [[ -e /run/itself ]] || { touch /run/itself; exit 103; }"
    one = system(os="sles-15", commands={"zypper": again})
    assert one.run("update-os", phase="build")[0] == 0
    update = "zypper --non-interactive update --auto-agree-with-licenses"
    assert one.calls() == ["zypper --non-interactive refresh", update, update, "Reboot"]


def test_waits_until_an_instance_of_suse_has_registered_itself(system: NewSystem) -> None:
    one = system(os="sles-12", commands={"zypper": "[[ $(grep -c refresh $calls) -ge 3 ]] || exit 6"})
    assert one.run("update-os", phase="build")[0] == 0
    assert one.calls().count("sleep 10") == 2


REACH = "update-os: see its messages above; the instance must reach the repositories"
NO_SUPPORT = (
    "update-os: its general support has ended: the instance needs a subscription that still has updates, "
    "or a mirror of your own"
)
VAULT = (
    "the mirrors of CentOS 7 and 8 are closed: before this component, point /etc/yum.repos.d at vault.centos.org "
    "or a mirror of your own"
)


@pytest.mark.parametrize(
    ("os", "manager", "remedy"),
    [
        ("amazon-linux-2023", "dnf", REACH),
        ("amazon-linux-2", "yum", REACH),
        ("ubuntu-16.04", "apt-get", REACH),
        ("sles-15", "zypper", REACH),
        ("rhel-7", "yum", NO_SUPPORT),
        ("sles-12", "zypper", NO_SUPPORT),
        ("centos-7", "yum", f"update-os: {VAULT}"),
        ("centos-8", "dnf", f"update-os: {VAULT}"),
    ],
)
def test_says_why_a_system_may_not_be_updated(system: NewSystem, os: str, manager: str, remedy: str) -> None:
    one = system(os=os, commands={manager: "echo 'no mirror answers' >&2; exit 7"})
    status, output = one.run("update-os", phase="build")
    assert (status, last_line(output)) == (1, remedy)
    assert f"update-os: {manager} failed on " in output
    assert "Reboot" not in one.calls()


@EACH_FAMILY
def test_finds_updates_that_are_not_installed(system: NewSystem, manager: str) -> None:
    one = system(
        os=FAMILIES[manager],
        files={"/var/lib/packages/openssl": "3.0.1\n", "/var/lib/repository/openssl": "3.0.9\n"},
    )
    status, output = one.run("update-os", phase="validate")
    assert status == 1
    assert "openssl" in output
    assert last_line(output) == (
        "update-os: the updates above are not installed; see what the step InstallUpdates said of them"
    )


@pytest.mark.parametrize("manager", ["dnf", "yum", "apt-get", "zypper"])
def test_updates_that_cannot_be_listed_are_a_failure(system: NewSystem, manager: str) -> None:
    one = system(os=FAMILIES[manager], commands={manager: "exit 3"})
    status, output = one.run("update-os", phase="validate")
    assert (status, last_line(output)) == (1, "update-os: updates cannot be listed: status 3")


# install-packages

NGINX = {"packages": "nginx  git\njq"}


@EACH_FAMILY
def test_installs_every_package_that_is_named(system: NewSystem, manager: str) -> None:
    one = system(os=FAMILIES[manager])
    output = built_twice(one, "install-packages", NGINX)
    assert f"install-packages: installing nginx git jq with {manager}\n" in output
    assert {"/var/lib/packages/nginx", "/var/lib/packages/git", "/var/lib/packages/jq"} <= set(one.files())


@EACH_FAMILY
def test_says_which_packages_could_not_be_installed(system: NewSystem, manager: str) -> None:
    one = system(os=FAMILIES[manager], files={"/var/lib/repository/nginx": "1.24\n"})
    status, output = one.run("install-packages", phase="build", values=NGINX)
    assert status == 1
    assert f"install-packages: {manager} could not install nginx git jq on " in output
    assert last_line(output) == (
        "install-packages: see its messages above for a name that it does not know, or a repository that it does "
        "not reach"
    )


def test_says_that_the_mirrors_of_old_centos_are_closed(system: NewSystem) -> None:
    one = system(os="centos-7", commands={"yum": "exit 1"})
    status, output = one.run("install-packages", phase="build", values=NGINX)
    assert (status, last_line(output)) == (1, f"install-packages: {VAULT}")


BUSY = """
if [[ $(grep -c "^apt-get" $calls) -le 2 ]]; then echo "E: Could not get lock /var/lib/dpkg/lock" >&2; exit 100; fi
"""


@pytest.mark.parametrize("component", ["update-os", "install-packages"])
def test_waits_for_another_apt_to_finish(system: NewSystem, component: str) -> None:
    one = system(os="ubuntu-16.04", commands={"apt-get": BUSY})
    values = {"packages": "nginx"} if component == "install-packages" else {}
    status, output = one.run(component, phase="build", values=values)
    assert status == 0, output
    assert [call for call in one.calls() if call in ("apt-get --assume-yes update", "sleep 10")] == [
        *("apt-get --assume-yes update", "sleep 10") * 2,
        "apt-get --assume-yes update",
    ]


@pytest.mark.parametrize("phase", ["build", "validate"])
@EACH_FAMILY
def test_says_that_no_package_is_named(system: NewSystem, manager: str, phase: str) -> None:
    status, output = system(os=FAMILIES[manager]).run("install-packages", phase=phase, values={"packages": " \n "})
    assert (status, last_line(output)) == (1, "install-packages: the parameter packages names none")


@pytest.mark.parametrize("component", ["update-os", "install-packages"])
def test_says_that_it_knows_no_package_manager(system: NewSystem, component: str) -> None:
    values = {"packages": "nginx"} if component == "install-packages" else {}
    one = system(os="sles-15", without=["zypper"])
    status, output = one.run(component, phase="build", values=values)
    assert (status, last_line(output)) == (1, f"{component}: none of dnf, yum, apt-get and zypper is here")


@EACH_FAMILY
def test_finds_a_package_that_is_not_there(system: NewSystem, manager: str) -> None:
    one = system(os=FAMILIES[manager], files={"/var/lib/packages/nginx": "1.24\n"})
    status, output = one.run("install-packages", phase="validate", values={"packages": "nginx nonesuch"})
    assert (status, last_line(output)) == (1, "install-packages: not installed: nonesuch")
    assert "nginx" in output.splitlines()[0]


def test_a_debian_package_that_only_left_its_settings_is_not_there(system: NewSystem) -> None:
    one = system(os="ubuntu-24.04", commands={"dpkg-query": "echo 'nginx 1.24 deinstall ok config-files'"})
    status, output = one.run("install-packages", phase="validate", values={"packages": "nginx"})
    assert (status, last_line(output)) == (1, "install-packages: not installed: nginx")


def test_takes_a_package_by_what_it_provides(system: NewSystem) -> None:
    one = system(os="rhel-9", commands={"rpm": "[[ $* == *--whatprovides* ]]"})
    assert one.run("install-packages", phase="validate", values={"packages": "mta @core"})[0] == 0


def test_looks_a_debian_package_up_without_its_version(system: NewSystem) -> None:
    one = system(os="ubuntu-24.04")
    built_twice(one, "install-packages", {"packages": "nginx=1.24.0-2"})
    assert one.calls()[-1].endswith(" nginx")


def test_keeps_the_cron_that_image_builder_would_remove(system: NewSystem) -> None:
    marker = "/tmp/imagebuilder_service/crontab_installed"
    one = system(os="amazon-linux-2023", files={marker: ""})
    assert one.run("install-packages", phase="build", values={"packages": "git"})[0] == 0
    assert marker in one.files()
    assert one.run("install-packages", phase="build", values={"packages": "git cronie"})[0] == 0
    assert marker not in one.files()


BREW = """#!/bin/bash
case $1 in
  install) shift; for name in "$@"; do [[ $name != nonesuch ]] || exit 1; touch "/opt/homebrew/$name"; done ;;
  list) [[ -e /opt/homebrew/$3 ]] && echo "$3 1.7" ;;
esac
"""
MAC = {"/opt/homebrew/bin/brew": (0o755, BREW)}
SUDO = {"sudo": 'shift 3; "$@"'}


def test_installs_packages_on_a_mac_as_its_user(system: NewSystem) -> None:
    one = system(files=MAC, commands=SUDO)
    for phase in ("build", "validate"):
        status, output = one.run("install-packages", phase=phase, values=NGINX, platform="macos")
        assert status == 0, output
    assert one.calls()[0] == "sudo -H -u ec2-user /opt/homebrew/bin/brew install nginx git jq"


@pytest.mark.parametrize(
    ("phase", "packages", "files", "said"),
    [
        ("build", " ", MAC, "the parameter packages names none"),
        ("build", "jq", {}, "Homebrew is not installed: use a parent image of AWS, which has it"),
        ("build", "jq nonesuch", MAC, "Homebrew could not install jq nonesuch; see its messages above"),
        ("validate", "jq", MAC, "not installed: jq"),
    ],
)
def test_says_why_a_mac_lacks_a_package(system: NewSystem, phase: str, packages: str, files: Files, said: str) -> None:
    one = system(files=files, commands=SUDO)
    status, output = one.run("install-packages", phase=phase, values={"packages": packages}, platform="macos")
    assert (status, last_line(output)) == (1, f"install-packages: {said}")
