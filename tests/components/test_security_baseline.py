"""The component security-baseline, its Linux steps run for real in scratch systems of every package family."""

from collections.abc import Mapping

import pytest

from tests.support.scratch_system import Files, NewSystem, System, last_line
from tests.support.stand_ins import FAMILIES

# Units are files of /run/units that hold their state; those that run are in /run/active too.
SYSTEMCTL = r"""
verb= quiet=
for word in "$@"; do
  case $word in
    --quiet) quiet=1 ;;
    -*) ;;
    *) if [[ -z $verb ]]; then verb=$word; else name=$word; fi ;;
  esac
done
[[ $name == auditd ]] && name=auditd.service
unit=/run/units/$name
case $verb in
  is-enabled)
    [[ -e $unit ]] || { echo "Failed to get unit file state for $name" >&2; exit 1; }
    [[ $quiet ]] || cat "$unit"
    [[ $(<"$unit") == enabled ]] ;;
  is-active) [[ -e /run/active/$name ]] ;;
  stop) rm -f "/run/active/$name" ;;
  start) touch "/run/active/$name" ;;
  enable) echo enabled > "$unit" ;;
  disable) echo disabled > "$unit" ;;
  mask) [[ ! -e /etc/systemd/system/$name ]] && echo masked > "$unit" ;;
esac
"""
# Takes the first value of a setting, as sshd does, and refuses what it does not know.
SSHD = r"""
main=/etc/ssh/sshd_config
[[ -e $main ]] || main=/usr/etc/ssh/sshd_config
file=$main dump=
while (( $# )); do
  case $1 in
    -f) file=$2; shift ;;
    -T) dump=1 ;;
  esac
  shift
done
if [[ ! -d /run/sshd ]]; then echo 'Missing privilege separation directory: /run/sshd' >&2; exit 255; fi
if [[ -e /etc/ssh/knows-nothing ]]; then echo "$file: Bad configuration option: MaxAuthTries" >&2; exit 255; fi
[[ $dump ]] || exit 0
{
  if grep -qi '^include' "$main"; then cat /etc/ssh/sshd_config.d/*.conf; fi
  cat "$main"
  printf '%s\n' 'PermitRootLogin yes' 'PasswordAuthentication yes' 'KbdInteractiveAuthentication yes' 'Port 22'
} | awk 'NF == 2 && $1 !~ /^(#|[Ii]nclude)/ {
  key = tolower($1)
  if (key == "challengeresponseauthentication") key = "kbdinteractiveauthentication"
  if (!(key in seen)) print key, $2
  seen[key] = 1
}'
"""
# The kernel's settings are files of /run/kernel.
SYSCTL = r"""
if [[ $1 == -n ]]; then cat "/run/kernel/$2"; exit; fi
while IFS=' =' read -r key value; do
  if [[ -e /run/kernel/$key ]]; then echo "$value" > "/run/kernel/$key"; fi
done < "${@: -1}"
"""
AUDITCTL = "#!/bin/bash\ncat /run/audit-rules\n"
AUGENRULES = "#!/bin/bash\ngrep -hv '^#' /etc/audit/rules.d/*.rules > /run/audit-rules\n"

SSHD_CONFIG = "Port 22\nPermitRootLogin yes\nX11Forwarding yes\nMatch User git\n  PasswordAuthentication yes\n"
INCLUDING = "Include /etc/ssh/sshd_config.d/*.conf\n" + SSHD_CONFIG
DROP_IN = "/etc/ssh/sshd_config.d/00-security-baseline.conf"
RULES = "/etc/audit/rules.d/50-security-baseline.rules"
NEVER = "## Nothing is audited\n-D\n-a task,never\n"

LOOSE = {
    "/etc/ssh/sshd_config": INCLUDING,
    "/etc/ssh/sshd_config.d/50-cloud-init.conf": "PasswordAuthentication yes\n",
    "/etc/ssh/ssh_host_ed25519_key": (0o640, "key\n"),
    "/etc/passwd": (0o666, "root:x:0:0:root:/root:/bin/bash\nguest:x:1000:1000::/home/guest:/bin/bash\n"),
    "/etc/shadow": (0o644, "root:*:19000:0:99999:7:::\nguest::19000:0:99999:7:::\n"),
    "/etc/login.defs": "# PASS_MAX_DAYS is for passwords\nPASS_MAX_DAYS\t99999\nPASS_MIN_DAYS\t0\nUMASK\t\t022\n",
    "/etc/default/useradd": "SHELL=/bin/bash\nINACTIVE=-1\n",
    "/etc/security/pwquality.conf": "# minlen = 8\n",
    "/etc/crontab": (0o644, "SHELL=/bin/sh\n"),
    "/etc/cron.daily/": (0o755, ""),
    "/etc/profile.d/": "",
    "/etc/sysctl.d/": "",
    "/etc/sudoers": (0o440, "root ALL=(ALL) ALL\n"),
    "/etc/audit/rules.d/audit.rules": NEVER,
    "/run/audit-rules": NEVER,
    "/run/active/auditd.service": "",
    "/run/active/cups.socket": "",
    "/run/units/auditd.service": "enabled\n",
    "/run/units/cups.socket": "enabled\n",
    "/run/units/rpcbind.socket": "masked\n",
    "/run/kernel/net.ipv4.conf.all.accept_redirects": "1\n",
    "/run/kernel/net.ipv4.tcp_syncookies": "0\n",
    "/run/kernel/kernel.randomize_va_space": "2\n",
}
"""A system as distributions ship them, without IPv6."""


def loose(
    system: NewSystem,
    manager: str = "dnf",
    files: Files | None = None,
    commands: Mapping[str, str] | None = None,
) -> System:
    """A system with nothing set yet."""
    all_commands = {
        "systemctl": SYSTEMCTL,
        "sshd": SSHD,
        "sysctl": SYSCTL,
        "auditctl": AUDITCTL,
        "augenrules": AUGENRULES,
        "usermod": 'sed -i "s/^$2::/$2:!:/" /etc/shadow',
        **(commands or {}),
    }
    return system(os=FAMILIES[manager], files={**LOOSE, **(files or {})}, commands=all_commands)


def built(one: System, values: Mapping[str, str] | None = None) -> System:
    """The system after build and validation."""
    for phase in ("build", "validate"):
        status, output = one.run("security-baseline", phase=phase, values=values)
        assert status == 0, output
    return one


def text(one: System, path: str) -> str:
    """What a file holds."""
    return one.files()[path][1]


@pytest.mark.parametrize("manager", FAMILIES)
def test_a_second_run_changes_nothing_and_the_test_passes(system: NewSystem, manager: str) -> None:
    one = built(loose(system, manager))
    after = one.files()
    assert built(one).files() == after
    status, output = one.run("security-baseline", phase="test")
    assert (status, last_line(output)) == (0, "security-baseline: everything is as it was set")
    assert one.files() == after


@pytest.mark.parametrize("manager", FAMILIES)
def test_the_test_fails_on_a_system_that_was_never_built(system: NewSystem, manager: str) -> None:
    one = loose(system, manager, files={"/etc/sysctl.d/zz-security-baseline.conf": "net.ipv4.tcp_syncookies = 1\n"})
    status, output = one.run("security-baseline", phase="test")
    assert status == 1
    told = output.splitlines()
    assert told[-1] == "security-baseline: what is told above is not as it was set: look at later components"
    assert set(told) >= {
        "sshd: permitrootlogin yes instead of no;",
        "sshd: no maxauthtries instead of 4;",
        "sshd: no clientaliveinterval instead of 300;",
        "sshd: passwordauthentication yes instead of no;",
        "/etc/login.defs lacks PASS_MAX_DAYS 365;",
        "/etc/default/useradd lacks INACTIVE=30;",
        "/etc/security/pwquality.conf lacks minlen = 14;",
        "/etc/profile.d/security-baseline.sh is another;",
        "cups.socket is enabled;",
        "cups.socket runs;",
        "the audit rules baseline-identity are not loaded;",
        "an audit rule leaves everything out;",
        "net.ipv4.tcp_syncookies is 0 instead of 1;",
        "guest has an empty password;",
        "/etc/passwd: mode 666, owner root;",
        "/etc/shadow: mode 644, owner root;",
        "/etc/crontab: mode 644, owner root;",
        "/etc/cron.daily: mode 755, owner root;",
    }


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({DROP_IN: "PermitRootLogin yes\n"}, "sshd: permitrootlogin yes instead of no;"),
        ({"/etc/login.defs": "PASS_MAX_DAYS 99999\nPASS_MIN_DAYS 1\nUMASK 027\n"}, "lacks PASS_MAX_DAYS 365;"),
        ({"/etc/passwd": "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n"}, "toor is another root;"),
        ({"/etc/shadow": (0o600, "app::1:0:9:7:::\n")}, "app has an empty password;"),
        ({"/run/units/rpcbind.socket": "enabled\n"}, "rpcbind.socket is enabled;"),
        ({"/run/active/rpcbind.socket": ""}, "rpcbind.socket runs;"),
        ({"/run/audit-rules": "-w /etc/sudoers -p wa -k baseline-sudo\n"}, "baseline-time are not loaded;"),
        ({"/run/kernel/net.ipv4.tcp_syncookies": "0\n"}, "net.ipv4.tcp_syncookies is 0 instead of 1;"),
        ({"/etc/ssh/ssh_host_ed25519_key": (0o644, "key\n")}, "ssh_host_ed25519_key: mode 644, owner root;"),
        ({"/etc/ssh/sshd_config": (0o600, SSHD_CONFIG)}, "sshd: x11forwarding yes instead of no;"),
    ],
)
def test_says_which_setting_was_changed_since(system: NewSystem, files: Files, told: str) -> None:
    one = built(loose(system))
    one.write(files)
    status, output = one.run("security-baseline", phase="test")
    assert status == 1
    assert told in output
    assert last_line(output).startswith("security-baseline: what is told above is not as it was set")


def test_says_that_auditd_does_not_run(system: NewSystem) -> None:
    one = built(loose(system))
    one.bash("rm /run/active/auditd.service")
    status, output = one.run("security-baseline", phase="test")
    assert (status, output.splitlines()[0]) == (1, "auditd does not run;")


def test_leaves_the_main_file_of_sshd_alone_where_it_includes_others(system: NewSystem) -> None:
    one = built(loose(system))
    assert text(one, "/etc/ssh/sshd_config") == INCLUDING
    assert one.files()[DROP_IN][0] == 0o600
    assert "PermitRootLogin no\n" in text(one, DROP_IN)


def test_puts_the_settings_before_all_others_where_sshd_includes_nothing(system: NewSystem) -> None:
    one = built(loose(system, files={"/etc/ssh/sshd_config": SSHD_CONFIG}))
    written = text(one, "/etc/ssh/sshd_config")
    assert written.startswith("# security-baseline: begin\nPermitRootLogin no\n")
    assert written.endswith("# security-baseline: end\n" + SSHD_CONFIG)
    assert built(one, {"idle_seconds": "60"}).files()["/etc/ssh/sshd_config"][1].count("ClientAliveInterval") == 1
    assert one.run("security-baseline", phase="test", values={"idle_seconds": "60"})[0] == 0


def test_finds_the_files_of_suse(system: NewSystem) -> None:
    one = loose(system, "zypper", files={"/usr/etc/ssh/sshd_config": INCLUDING, "/usr/etc/login.defs": "UMASK 022\n"})
    one.bash("rm /etc/ssh/sshd_config /etc/login.defs")
    built(one)
    assert "UMASK 027\n" in text(one, "/etc/login.defs")
    assert (text(one, "/usr/etc/login.defs"), "/etc/ssh/sshd_config" in one.files()) == ("UMASK 022\n", False)
    status, output = one.run("security-baseline", phase="test")
    assert status == 0, output


def test_asks_an_sshd_that_nobody_has_connected_to_since_the_boot(system: NewSystem) -> None:
    one = loose(system, "apt-get")
    for phase in ("build", "validate", "test"):
        status, output = one.run("security-baseline", phase=phase)
        assert status == 0, output
        # /run is empty after a boot.
        one.bash("rm -r /run/sshd")


def test_settings_that_sshd_refuses_are_not_kept(system: NewSystem) -> None:
    one = loose(system, files={"/etc/ssh/knows-nothing": ""})
    status, output = one.run("security-baseline", phase="build")
    assert status == 1
    assert "Bad configuration option" in output
    assert last_line(output).endswith(f"so {DROP_IN} is as it was")
    assert DROP_IN not in one.files()


def test_passwords_over_ssh_can_be_left_to_the_system(system: NewSystem) -> None:
    values = {"ssh_passwords": "true"}
    one = built(loose(system), values)
    assert "PasswordAuthentication" not in text(one, DROP_IN)
    assert one.run("security-baseline", phase="test", values=values)[0] == 0


def test_a_system_without_sshd_is_taken_as_it_is(system: NewSystem) -> None:
    one = loose(system)
    one.bash("rm /usr/local/stand-ins/sshd; rm -r /etc/ssh")
    assert built(one).run("security-baseline", phase="test")[0] == 0


def test_sets_policies_in_place_of_those_of_the_distribution(system: NewSystem) -> None:
    one = built(loose(system), {"password_days": "90", "password_length": "20"})
    comment = "# PASS_MAX_DAYS is for passwords\n"
    assert text(one, "/etc/login.defs") == comment + "PASS_MAX_DAYS 90\nPASS_MIN_DAYS 1\nUMASK 027\n"
    assert text(one, "/etc/default/useradd") == "SHELL=/bin/bash\nINACTIVE=30\n"
    assert text(one, "/etc/security/pwquality.conf") == "# minlen = 8\nminlen = 20\nminclass = 3\n"
    assert "guest:!:" in text(one, "/etc/shadow")


def test_ends_idle_shells_of_people_and_not_the_read_of_a_script(system: NewSystem) -> None:
    one = built(loose(system))
    say = '/etc/profile.d/security-baseline.sh; umask; echo "${TMOUT-none}"\''
    assert one.bash(f"bash -c '. {say}")[1] == "0027\nnone\n"
    assert one.bash(f"bash --norc -i -c '. {say} 2>/dev/null")[1] == "0027\n900\n"


def test_masks_only_services_that_exist(system: NewSystem) -> None:
    one = built(loose(system, files={"/run/units/own.service": "enabled\n", "/etc/systemd/system/own.service": ""}))
    assert [call for call in one.calls() if call.startswith("systemctl mask")] == ["systemctl mask cups.socket"]
    values = {"unneeded_services": "own.service other.service"}
    assert text(built(one, values), "/run/units/own.service") == "disabled\n"
    assert one.run("security-baseline", phase="test", values=values)[0] == 0


def test_masks_the_crash_reports_of_ubuntu_which_let_privileged_programs_dump_core(system: NewSystem) -> None:
    one = built(loose(system, "apt-get", files={"/run/units/apport.service": "enabled\n"}))
    assert text(one, "/run/units/apport.service") == "masked\n"


def test_audits_every_process_and_only_what_exists(system: NewSystem) -> None:
    one = built(loose(system, commands={"uname": "echo aarch64"}))
    assert text(one, "/etc/audit/rules.d/audit.rules") == NEVER.replace("-a task", "# -a task")
    rules = text(one, RULES).splitlines()
    assert rules[0] == "-a always,exit -F arch=b64 -S adjtimex,settimeofday,clock_settime -k baseline-time"
    assert "-w /etc/shadow -p wa -k baseline-identity" in rules
    assert not [rule for rule in rules if "b32" in rule or "opasswd.d" in rule]
    assert one.calls().count("augenrules --load") == 1
    assert built(one).calls().count("augenrules --load") == 1


@pytest.mark.parametrize(("manager", "package"), [(each, "audit") for each in FAMILIES if each != "apt-get"])
def test_installs_auditd_where_it_is_missing(system: NewSystem, manager: str, package: str) -> None:
    installs_auditd(loose(system, manager), package)


def test_installs_auditd_of_debian_where_it_is_missing(system: NewSystem) -> None:
    one = loose(system, "apt-get")
    installs_auditd(one, "auditd")
    assert "apt-get update" in one.calls()


def installs_auditd(one: System, package: str) -> None:
    """Takes auditd away, and sees it come with the package."""
    place = "/usr/local/stand-ins"
    one.bash(
        f"mkdir /opt; mv {place}/auditctl {place}/augenrules /opt; rm /run/units/auditd.service /run/active/auditd.*"
    )
    unit = "echo disabled > /run/units/auditd.service"
    one.write({f"/var/lib/after/{package}": f"cp -p /opt/* {place}; {unit}\n"})
    status, output = built(one).run("security-baseline", phase="test")
    assert status == 0, output
    assert f"/var/lib/packages/{package}" in one.files()
    assert text(one, "/run/units/auditd.service") == "enabled\n"


def test_auditing_can_be_left_as_it_is(system: NewSystem) -> None:
    one = built(loose(system), {"audit": "false"})
    assert text(one, "/etc/audit/rules.d/audit.rules") == NEVER
    assert RULES not in one.files()
    assert one.run("security-baseline", phase="test", values={"audit": "false"})[0] == 0


def test_sets_the_kernel_at_once_and_for_the_next_boot(system: NewSystem) -> None:
    one = built(loose(system))
    assert text(one, "/run/kernel/net.ipv4.conf.all.accept_redirects") == "0\n"
    settings = text(one, "/etc/sysctl.d/zz-security-baseline.conf").splitlines()
    assert "net.ipv6.conf.default.accept_source_route = 0" in settings
    assert "net.ipv4.conf.all.log_martians = 1" in settings
    assert len(settings) == len(set(settings))


def test_removes_permissions_and_adds_none(system: NewSystem) -> None:
    one = built(loose(system, files={"/etc/group": (0o600, "root:x:0:\n"), "/etc/gshadow": (0o000, "root:*::\n")}))
    modes = {path: mode for path, (mode, _) in one.files().items()}
    assert {path: modes[path] for path in ("/etc/passwd", "/etc/shadow", "/etc/crontab", "/etc/cron.daily/")} == {
        "/etc/passwd": 0o644,
        "/etc/shadow": 0o640,
        "/etc/crontab": 0o600,
        "/etc/cron.daily/": 0o700,
    }
    assert (modes["/etc/group"], modes["/etc/gshadow"], modes["/etc/ssh/ssh_host_ed25519_key"]) == (0o600, 0o000, 0o640)
