"""The component boots, its Linux and macOS steps run for real: it passes, or says what keeps a system from running."""

import pytest

from tests.support.scratch_system import NewSystem, failure, passed
from tests.support.stand_ins import FAMILIES

DEGRADED = """
case $1 in
  is-system-running) echo degraded; exit 1 ;;
  get-default) echo multi-user.target ;;
  list-units) echo "* kdump.service loaded failed failed Crash recovery" ;;
esac
"""
RUNNING = DEGRADED.replace("degraded; exit 1", "running").replace("list-units", "never")
CHRONY = 'printf "%s\\n" "Reference ID    : A9FEA97B (169.254.169.123)" "Leap status     : Normal"'
NOT_SYNCHRONISED = 'echo "Leap status     : Not synchronised"'
BOOTED = {"systemctl": RUNNING, "chronyc": CHRONY}
AT_ONCE = {"wait_seconds": "0"}


@pytest.mark.parametrize("manager", FAMILIES)
def test_a_running_system_boots(system: NewSystem, manager: str) -> None:
    output = passed(system(os=FAMILIES[manager], commands=BOOTED), "boots")
    assert output.splitlines() == [
        "boots: no cloud-init here",
        "boots: the system is running",
        "boots: the clock is synchronised by chrony",
    ]


def test_a_failed_unit_fails_the_boot(system: NewSystem) -> None:
    assert failure(system(commands={**BOOTED, "systemctl": DEGRADED}), "boots") == "boots: failed units: kdump.service"


def test_a_unit_that_may_fail_does_not_fail_the_boot(system: NewSystem) -> None:
    one = system(commands={**BOOTED, "systemctl": DEGRADED})
    output = passed(one, "boots", {"ignore_units": "x.service kdump.service"})
    assert "boots: kdump.service failed, and is ignored" in output


def test_a_target_that_is_not_reached_fails_the_boot(system: NewSystem) -> None:
    unreached = "[[ $1 == is-active ]] && exit 3" + RUNNING
    one = system(commands={**BOOTED, "systemctl": unreached})
    assert failure(one, "boots") == "boots: multi-user.target is not reached"


def test_a_boot_that_never_ends_fails_and_says_what_runs(system: NewSystem) -> None:
    starting = "case $1 in is-system-running) echo starting ;; list-jobs) echo 12 slow.service ;; esac"
    status, output = system(commands={"systemctl": starting}).run("boots", phase="test", values=AT_ONCE)
    assert status == 1
    assert output.endswith("12 slow.service\nboots: still starting after 0 seconds; the jobs above run\n")


@pytest.mark.parametrize(
    ("code", "last"),
    [
        (0, "boots: cloud-init is done"),
        (1, "boots: cloud-init failed: status 1; /var/log/cloud-init-output.log says why"),
        (2, "boots: cloud-init is done, and got over the problem that it has just told"),
        (124, "boots: cloud-init still runs after 300 seconds; is the user data slow?"),
    ],
)
def test_cloud_init_must_be_done(system: NewSystem, code: int, last: str) -> None:
    one = system(commands={**BOOTED, "cloud-init": f"[[ $* == *--wait* ]] || exit 0; exit {code}"})
    status, output = one.run("boots", phase="test")
    assert (status, last in output.splitlines()) == (0 if code in (0, 2) else 1, True), output


@pytest.mark.parametrize(
    ("files", "last"),
    [
        ({}, "boots: cloud-init still runs after 0 seconds; is the user data slow?"),
        ({"/run/cloud-init/result.json": '{"v1": {"errors": []}}\n'}, "boots: the clock is synchronised by chrony"),
        (
            {"/run/cloud-init/result.json": '{"v1": {"errors": ["scripts-user"]}}\n'},
            "boots: cloud-init failed: status 1; /var/log/cloud-init-output.log says why",
        ),
    ],
)
def test_cloud_init_of_old_images_is_recognized_by_its_files(
    system: NewSystem, files: dict[str, str], last: str
) -> None:
    finished = {"/var/lib/cloud/instance/boot-finished": ""} if files else {}
    one = system(os="centos-7", files={**files, **finished}, commands={**BOOTED, "cloud-init": "exit 2"})
    assert one.run("boots", phase="test", values=AT_ONCE)[1].splitlines()[-1] == last


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chronyc", CHRONY),
        ("ntpq", 'printf "%s\\n" "     remote  refid" "======" "*169.254.169.123 .GPS."'),
        ("timedatectl", 'echo "     NTP synchronized: yes"'),
        ("timedatectl", 'echo "System clock synchronized: yes"'),
    ],
)
def test_any_daemon_may_synchronise_the_clock(system: NewSystem, name: str, said: str) -> None:
    passed(system(commands={"systemctl": RUNNING, name: said}), "boots", AT_ONCE)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chronyc", NOT_SYNCHRONISED),
        ("chronyc", 'echo "506 Cannot talk to daemon"; exit 1'),
        ("ntpq", 'printf "%s\\n" "     remote  refid" "======" " 169.254.169.123 .INIT."'),
        ("timedatectl", 'echo "NTP synchronized: no"'),
        ("nothing", ""),
    ],
)
def test_a_clock_that_nothing_synchronises_fails_the_boot(system: NewSystem, name: str, said: str) -> None:
    one = system(commands={"systemctl": RUNNING, name: said})
    assert failure(one, "boots", AT_ONCE) == (
        "boots: the clock is not synchronised after 0 seconds; install chrony, or let it reach a time server: "
        "169.254.169.123 is there on every instance"
    )
    passed(one, "boots", {**AT_ONCE, "check_time": "false"})


MAC = {
    "launchctl": """
        if [[ $# -eq 1 ]]; then
          printf '%s\\t%s\\t%s\\n' PID Status Label - 78 com.apple.x - 0 com.example.once 12 1 com.example.runs
          if [[ -e /run/failed ]]; then printf -- '-\\t1\\tcom.example.fails\\n'; fi
        else
          cat /run/init
        fi""",
    "systemsetup": "case $1 in -getusing*) echo 'Network Time: On' ;; *) echo 'Network Time Server: pool' ;; esac",
    "sntp": 'echo "+0.000421 +/- 0.000310 $1 169.254.169.123"',
}
INIT_DONE = {"/run/init": '{\n\t"LastExitStatus" = 0;\n};\n'}


def test_a_mac_boots(system: NewSystem) -> None:
    output = passed(system(commands=MAC, files=INIT_DONE), "boots", platform="macos")
    assert output.splitlines() == [
        "boots: EC2 macOS Init is done",
        "boots: no daemon failed",
        "boots: the clock is synchronised with pool: +0.000421 +/- 0.000310 pool 169.254.169.123",
    ]


@pytest.mark.parametrize(
    ("files", "commands", "last"),
    [
        ({"/run/init": '"PID" = 5;\n'}, {}, "boots: EC2 macOS Init still runs after 0 seconds; is the user data slow?"),
        (
            {"/run/init": '"LastExitStatus" = 256;\n'},
            {},
            "boots: EC2 macOS Init failed; its messages are in the system log, by the name ec2-macOS-init",
        ),
        ({"/run/failed": ""}, {}, "boots: failed daemons: com.example.fails"),
        (
            {},
            {"systemsetup": "echo 'Network Time: Off'"},
            "boots: Network Time: Off; set it with: systemsetup -setusingnetworktime on",
        ),
        (
            {},
            {"sntp": 'echo "-7.101 +/- 0.1 pool"'},
            "boots: the clock is not within a second of pool after 0 seconds",
        ),
    ],
)
def test_says_why_a_mac_has_not_booted(
    system: NewSystem, files: dict[str, str], commands: dict[str, str], last: str
) -> None:
    one = system(files={**INIT_DONE, **files}, commands={**MAC, **commands})
    assert failure(one, "boots", AT_ONCE, platform="macos") == last
    ignoring = {**AT_ONCE, "ignore_daemons": "com.example.fails", "check_time": "false"}
    assert one.run("boots", phase="test", values=ignoring, platform="macos")[0] == (1 if "/run/init" in files else 0)
