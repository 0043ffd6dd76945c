"""time-and-locale and clean-up, Linux, run for real in scratch systems of every package family."""

from collections.abc import Mapping

import pytest

from tests.support.scratch_system import Files, NewSystem, built_twice, last_line
from tests.support.stand_ins import FAMILIES

EACH_FAMILY = pytest.mark.parametrize("manager", FAMILIES)

# What /etc/chrony.conf names are the sources; the first is chosen.
CHRONYC = r"""
if [[ $* == *sources* ]]; then
  mark='*'
  cat /etc/chrony.conf /etc/chrony/chrony.conf /run/chrony.d/* 2>/dev/null | while read -r kind source _; do
    if [[ $kind == server ]]; then echo "^$mark $source 3 4 377 11 +8us"; mark='-'; fi
  done
fi
true
"""
TIME_COMMANDS = {
    "timedatectl": "ln -sfn /usr/share/zoneinfo/$2 /etc/localtime",
    "locale": "cat /var/lib/locales",
    "localectl": 'if [[ $1 == set-locale ]]; then echo "$2" > /etc/locale.conf; fi; '
    'echo "   System Locale: $(cat /etc/locale.conf)"; echo "       VC Keymap: us"',
    "locale-gen": 'echo "${1/UTF-8/utf8}" >> /var/lib/locales',
    "chronyd": "",
    "chronyc": CHRONYC,
}
TIME_FILES = {
    "/usr/share/zoneinfo/UTC": "TZif UTC",
    "/usr/share/zoneinfo/Asia/Tokyo": "TZif Tokyo",
    "/var/lib/locales": "C.utf8\nen_US.utf8\n",
    "/etc/locale.conf": "LANG=C.UTF-8\n",
    "/etc/cloud/cloud.cfg.d/": "",
    "/etc/chrony.conf": "server 0.pool.ntp.org iburst\n",
}
TOKYO = {"time_zone": "Asia/Tokyo", "locale": "ja_JP.UTF-8"}
LANGUAGES = "echo ja_JP.utf8 >> /var/lib/locales"


def chrony_of(manager: str) -> Files:
    """The files of a system with chrony: Debian's are elsewhere."""
    if manager != "apt-get":
        return TIME_FILES
    files = {**TIME_FILES, "/etc/chrony/chrony.conf": TIME_FILES["/etc/chrony.conf"]}
    return {path: text for path, text in files.items() if path != "/etc/chrony.conf"}


@EACH_FAMILY
def test_sets_time_zone_locale_and_time_source(system: NewSystem, manager: str) -> None:
    packages = {"dnf": "glibc-langpack-ja", "zypper": "glibc-locale"}
    installed = {f"/var/lib/after/{name}": LANGUAGES for name in packages.values()}
    values = TOKYO if manager != "yum" else {**TOKYO, "locale": "en_US.UTF-8"}
    one = system(os=FAMILIES[manager], files={**chrony_of(manager), **installed}, commands=TIME_COMMANDS)
    built_twice(one, "time-and-locale", values)
    files = one.files()
    unit, conf = ("chrony", "/etc/chrony/chrony.conf") if manager == "apt-get" else ("chronyd", "/etc/chrony.conf")
    assert files["/etc/localtime"][1] == "-> /usr/share/zoneinfo/Asia/Tokyo"
    assert files["/etc/cloud/cloud.cfg.d/90-locale.cfg"][1] == f"locale: {values['locale']}\n"
    assert files[conf][1].count("server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4\n") == 1
    assert {f"/run/units/enabled/{unit}", f"/run/units/active/{unit}"} <= set(files)


@EACH_FAMILY
def test_installs_chrony_and_stops_other_time_services(system: NewSystem, manager: str) -> None:
    conf = "/etc/chrony/chrony.conf" if manager == "apt-get" else "/etc/chrony.conf"
    files = {path: text for path, text in TIME_FILES.items() if "chrony" not in path}
    installs = (
        f"mkdir -p {conf.rpartition('/')[0]}; echo 'server 0.pool.ntp.org' > {conf}; "
        "printf '#!/bin/bash\\n' > /usr/sbin/chronyd; chmod 755 /usr/sbin/chronyd"
    )
    files |= {"/var/lib/after/chrony": installs, "/run/units/enabled/ntpd": "", "/run/units/active/ntpd": ""}
    one = system(os=FAMILIES[manager], files=files, commands=TIME_COMMANDS, without=["chronyd"])
    built_twice(one, "time-and-locale")
    assert "/var/lib/packages/chrony" in one.files()
    assert not [path for path in one.files() if path.endswith("/ntpd")]


def test_leaves_a_time_source_alone_that_is_made_at_boot(system: NewSystem) -> None:
    files = {**TIME_FILES, "/run/chrony.d/link-local.sources": "server 169.254.169.123 prefer iburst\n"}
    one = system(os="amazon-linux-2023", files=files, commands=TIME_COMMANDS)
    built_twice(one, "time-and-locale")
    assert one.files()["/etc/chrony.conf"][1] == TIME_FILES["/etc/chrony.conf"]


def test_says_that_image_builder_deletes_a_locale_that_nothing_writes_anew(system: NewSystem) -> None:
    files = {path: text for path, text in TIME_FILES.items() if "cloud" not in path}
    output = built_twice(system(files=files, commands=TIME_COMMANDS), "time-and-locale")
    assert "no cloud-init here that would write /etc/locale.conf anew, which Image Builder deletes" in output


@pytest.mark.parametrize(
    ("values", "commands", "without", "said"),
    [
        (
            {"time_zone": "Mars/Olympus"},
            {},
            [],
            "there is no time zone Mars/Olympus in /usr/share/zoneinfo; write one of the IANA database, as in "
            "Europe/Berlin",
        ),
        (
            {"locale": "xx_XX.UTF-8"},
            {},
            [],
            "this system has no locale xx_XX.UTF-8; locale -a lists those that it has",
        ),
        ({}, {"dnf": "exit 1"}, ["chronyd"], "chrony could not be installed with dnf; see its messages above"),
        ({}, {}, ["chronyd"], "chrony has no configuration at /etc/chrony.conf"),
    ],
)
def test_says_what_cannot_be_set(
    system: NewSystem, values: Mapping[str, str], commands: Mapping[str, str], without: list[str], said: str
) -> None:
    files = {path: text for path, text in TIME_FILES.items() if path != "/etc/chrony.conf"}
    one = system(files=files, commands={**TIME_COMMANDS, **commands}, without=without)
    status, output = one.run("time-and-locale", phase="build", values=values)
    assert (status, last_line(output)) == (1, f"time-and-locale: {said}")


@pytest.mark.parametrize("phase", ["validate", "test"])
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            "ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime",
            "the time zone is /usr/share/zoneinfo/Asia/Tokyo, not UTC",
        ),
        ("echo LANG=C.UTF-8 > /etc/locale.conf", "the locale is C.UTF-8, not en_US.UTF-8"),
        ("rm /etc/locale.conf", "the locale is not set, not en_US.UTF-8"),
        ("systemctl stop chronyd", "chronyd.service is not enabled, or does not run"),
        ("echo server a > /etc/chrony.conf", "169.254.169.123 is not among the sources of chrony"),
    ],
)
def test_finds_what_is_not_as_it_was_set(system: NewSystem, phase: str, broken: str, said: str) -> None:
    one = system(files=TIME_FILES, commands=TIME_COMMANDS)
    built_twice(one, "time-and-locale")
    assert one.bash(broken)[0] == 0
    status, output = one.run("time-and-locale", phase=phase)
    assert (status, last_line(output)) == (1, f"time-and-locale: {said}")


def test_waits_until_the_time_source_is_chosen(system: NewSystem) -> None:
    one = system(files=TIME_FILES, commands=TIME_COMMANDS)
    built_twice(one, "time-and-locale")
    status, output = one.run("time-and-locale", phase="test", values={"wait_seconds": "0"})
    assert status == 1
    assert last_line(output) == (
        "time-and-locale: chrony has not chosen 169.254.169.123 after 0 seconds; its sources are above"
    )
    one.write({"/etc/chrony.conf": "server 169.254.169.123 prefer\n"})
    status, output = one.run("time-and-locale", phase="test")
    assert last_line(output) == "time-and-locale: the clock is kept with the Amazon Time Sync Service"
    assert status == 0


# clean-up

ID = "0123456789abcdef0123456789abcdef\n"
STAYS = {
    "/etc/ssh/sshd_config": "PermitRootLogin no\n",
    "/home/app/.ssh/known_hosts": "host\n",
    "/home/app/data": "1\n",
    "/tmp/perform_cleanup": "",
    "/tmp/skip_cleanup_ssm_log_files": "",
    "/tmp/imagebuilder_service/TOE_2026/console.log": "log\n",
    "/var/lib/amazon/ssm/state": "1\n",
    "/var/lib/cloud/scripts/per-boot/mine.sh": "true\n",
    "/var/log/amazon/ssm/amazon-ssm-agent.log": "log\n",
}
GOES = {
    "/etc/ssh/ssh_host_dsa_key": "k",
    "/etc/ssh/ssh_host_ed25519_key": "k",
    "/etc/ssh/ssh_host_ed25519_key.pub": "k",
    "/home/app/.bash_history": "export PASSWORD=1\n",
    "/home/app/.ssh/authorized_keys": "ssh-ed25519 build\n",
    "/root/.bash_history": "ls\n",
    "/root/.ssh/authorized_keys": "ssh-ed25519 build\n",
    "/tmp/installer/secret": "s\n",
    "/tmp/.hidden": "s\n",
    "/var/cache/dnf/updates/repodata": "x",
    "/var/cache/yum/updates/repodata": "x",
    "/var/lib/apt/lists/noble_InRelease": "x",
    "/var/lib/cloud/instance": "-> /var/lib/cloud/instances/i-1",
    "/var/lib/cloud/instances/i-1/user-data.txt": "secret\n",
    "/var/lib/cloud/sem/config": "1\n",
    "/var/lib/dbus/machine-id": ID,
    "/var/lib/systemd/random-seed": "r\n",
    "/var/log/journal/0123/system.journal": "j\n",
    "/var/log/messages-20260101": "m\n",
    "/var/log/syslog.1": "m\n",
    "/var/log/syslog.2.gz": "m\n",
    "/var/tmp/left": "s\n",
}
EMPTIED = {"/etc/machine-id": ID, "/var/log/messages": "m\n", "/var/log/audit/audit.log": "a\n"}


@EACH_FAMILY
def test_cleans_up_and_leaves_what_image_builder_needs(system: NewSystem, manager: str) -> None:
    one = system(os=FAMILIES[manager], files={**STAYS, **GOES, **EMPTIED})
    status, output = one.run("clean-up", phase="validate")
    assert (status, last_line(output)) == (0, "clean-up: nothing of it is left"), output
    files = one.files()
    assert {path: files[path][1] for path in STAYS} == STAYS
    assert {path: files[path][1] for path in EMPTIED} == dict.fromkeys(EMPTIED, "")
    assert not GOES.keys() & files.keys()
    assert [call for call in one.calls() if " clean" in call]
    assert one.run("clean-up", phase="validate")[0] == 0
    assert one.files() == files


def test_keeps_the_logs_when_they_are_wanted(system: NewSystem) -> None:
    logs = {path: text for path, text in {**GOES, **EMPTIED}.items() if path.startswith("/var/log/")}
    one = system(files=logs)
    assert one.run("clean-up", phase="validate", values={"keep_logs": "true"})[0] == 0
    assert {path: one.files()[path][1] for path in logs} == logs


def test_finds_what_is_made_anew_while_it_cleans_up(system: NewSystem) -> None:
    key = "/etc/ssh/ssh_host_rsa_key"
    one = system(files={"/etc/ssh/": ""}, commands={"rm": f'/usr/bin/rm "$@"; touch {key}'})
    status, output = one.run("clean-up", phase="validate")
    assert (status, last_line(output)) == (
        1,
        "clean-up: still there: /etc/ssh/ssh_host_rsa_key; something makes it anew while the build runs",
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"/etc/machine-id": "uninitialized\n"}, "this instance has no machine ID in /etc/machine-id"),
        (
            {"/etc/machine-id": ID, "/etc/ssh/sshd_config": ""},
            "this instance has no SSH host keys in /etc/ssh: nobody can log in by SSH",
        ),
    ],
)
def test_an_instance_makes_its_own_identity(system: NewSystem, files: Files, said: str) -> None:
    status, output = system(files=files).run("clean-up", phase="test")
    assert (status, last_line(output)) == (1, f"clean-up: {said}")
    good = system(files={**files, "/etc/machine-id": ID, "/etc/ssh/ssh_host_ed25519_key": "k"})
    assert good.run("clean-up", phase="test") == (
        0,
        "clean-up: this instance has a machine ID and 1 host keys of its own\n",
    )
