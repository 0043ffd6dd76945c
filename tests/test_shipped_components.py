"""The shipped components' Linux steps, run by bash on this machine among stand-ins for the commands of others."""

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from estate.documents import parse

COMPONENTS = Path(__file__).parents[1] / "components"
DOCUMENTS = sorted(COMPONENTS.glob("*/*.yaml"))

# The commands that steps need of any Linux; everything else is a stand-in or missing.
COMMON = ("bash", "curl", "grep", "sed", "timeout")


class Instance:
    """A machine of which only the given commands exist: shell scripts whose calls are written down."""

    def __init__(self, folder: Path, commands: Mapping[str, str]) -> None:
        self._bin = folder / "bin"
        self._bin.mkdir()
        self._calls = folder / "calls"
        self._calls.touch()
        for name in COMMON:
            path = shutil.which(name)
            if path is None:
                pytest.skip(f"{name} is not installed")
            (self._bin / name).symlink_to(path)
        for name, script in {"sleep": "exit 0", **commands}.items():
            (self._bin / name).write_text(f'#!/bin/bash\necho "{name} $*" >> "{self._calls}"\n{script}\n')
            (self._bin / name).chmod(0o755)

    def run(self, component: str, *, phase: str, values: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Runs the phase's bash steps as the executor would: exit status of the last that ran, and all output."""
        document = YAML(typ="safe").load(COMPONENTS / component / "linux.yaml")
        defaults = {
            name: fields["default"]
            for entry in document.get("parameters", [])
            for name, fields in entry.items()
            if "default" in fields
        }
        status, output = 0, ""
        steps: list[dict[str, Any]] = next(p["steps"] for p in document["phases"] if p["name"] == phase)
        for step in steps:
            if step["action"] != "ExecuteBash":
                continue
            script = "\n".join(step["inputs"]["commands"])
            for name, value in {**defaults, **(values or {})}.items():
                script = script.replace("{{ " + name + " }}", value)
            assert "{{" not in script, f"a parameter without a value in:\n{script}"
            done = subprocess.run(
                ["bash", "-c", script],
                env={"PATH": str(self._bin)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            status, output = done.returncode, output + done.stdout
            if status != 0:
                break
        return status, output

    def calls(self) -> list[str]:
        """The stand-ins' calls, oldest first."""
        return self._calls.read_text().splitlines()


@pytest.fixture
def http_port() -> Iterator[int]:
    """A server on loopback that answers `/` with 200 and everything else with 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_document_is_one_that_image_builder_takes(path: Path) -> None:
    document = parse(path.read_text(), source=str(path))
    assert document.description
    assert all(parameter.description for parameter in document.parameters.values())


@pytest.mark.parametrize(
    ("manager", "update"),
    [
        ("dnf", "dnf --assumeyes --refresh upgrade"),
        ("yum", "yum --assumeyes update"),
        ("apt-get", "dist-upgrade"),
        ("zypper", "zypper --non-interactive update --auto-agree-with-licenses"),
    ],
)
def test_updates_with_the_package_manager_that_is_there(tmp_path: Path, manager: str, update: str) -> None:
    instance = Instance(tmp_path, {manager: ""})
    status, output = instance.run("update-os", phase="build")
    assert (status, f"update-os: updating with {manager}" in output) == (0, True), output
    assert instance.calls()[-1].endswith(update)


def test_an_update_that_asks_for_a_restart_has_succeeded_for_zypper(tmp_path: Path) -> None:
    instance = Instance(tmp_path, {"zypper": "[[ $* == *update* ]] && exit 102; exit 0"})
    assert instance.run("update-os", phase="build")[0] == 0


@pytest.mark.parametrize("manager", ["dnf", "yum", "zypper"])
def test_a_failed_update_fails_the_step(tmp_path: Path, manager: str) -> None:
    assert Instance(tmp_path, {manager: "exit 4"}).run("update-os", phase="build")[0] == 4


def test_waits_for_another_apt_to_finish(tmp_path: Path) -> None:
    busy_twice = 'count=$(grep -c "apt-get update" "${0%/*}/../calls"); [[ $* != update || ${count} -gt 2 ]]'
    instance = Instance(tmp_path, {"apt-get": busy_twice})
    status, output = instance.run("install-packages", phase="build", values={"packages": "nginx"})
    assert status == 0, output
    assert instance.calls().count("apt-get update") == 3
    assert instance.calls()[-1].endswith("install -- nginx")


@pytest.mark.parametrize("manager", ["dnf", "yum", "apt-get", "zypper"])
def test_installs_every_package_that_is_named(tmp_path: Path, manager: str) -> None:
    instance = Instance(tmp_path, {manager: ""})
    status, output = instance.run("install-packages", phase="build", values={"packages": "nginx  git\njq"})
    assert status == 0, output
    assert f"installing nginx git jq with {manager}" in output
    assert instance.calls()[-1].endswith("-- nginx git jq")


def test_says_that_no_package_is_named(tmp_path: Path) -> None:
    status, output = Instance(tmp_path, {"dnf": ""}).run("install-packages", phase="build", values={"packages": " "})
    assert (status, output) == (1, "install-packages: the parameter packages names none\n")


def test_says_that_it_knows_no_package_manager(tmp_path: Path) -> None:
    status, output = Instance(tmp_path, {}).run("install-packages", phase="build", values={"packages": "nginx"})
    assert (status, output) == (1, "install-packages: none of dnf, yum, apt-get and zypper is here\n")


def test_finds_a_package_that_yum_left_out_in_silence(tmp_path: Path) -> None:
    instance = Instance(tmp_path, {"yum": "", "rpm": '[[ $* != *nonesuch* ]] && echo "${@: -1}-1.0"'})
    status, output = instance.run("install-packages", phase="validate", values={"packages": "nginx nonesuch"})
    assert status == 1
    assert "nginx-1.0" in output
    assert output.endswith("install-packages: not installed: nonesuch\n")


def test_takes_a_package_by_what_it_provides(tmp_path: Path) -> None:
    instance = Instance(tmp_path, {"dnf": "", "rpm": "[[ $* == *--whatprovides* ]]"})
    assert instance.run("install-packages", phase="validate", values={"packages": "mta @core"})[0] == 0


def test_looks_a_debian_package_up_without_its_version(tmp_path: Path) -> None:
    instance = Instance(tmp_path, {"apt-get": "", "dpkg-query": ""})
    assert instance.run("install-packages", phase="validate", values={"packages": "nginx=1.24.0-2"})[0] == 0
    assert instance.calls()[-1].endswith(" nginx")


SYSTEMD = """
case $1 in
  is-system-running) echo running ;;
  get-default) echo multi-user.target ;;
esac
"""
DEGRADED = """
case $1 in
  is-system-running) echo degraded; exit 1 ;;
  get-default) echo multi-user.target ;;
  list-units) echo "* kdump.service loaded failed failed Crash recovery" ;;
esac
"""


def test_a_running_system_boots(tmp_path: Path) -> None:
    status, output = Instance(tmp_path, {"systemctl": SYSTEMD}).run("boots", phase="test")
    assert status == 0, output
    assert "boots: no cloud-init here" in output
    assert "boots: the system is running" in output


def test_a_failed_unit_fails_the_boot(tmp_path: Path) -> None:
    status, output = Instance(tmp_path, {"systemctl": DEGRADED}).run("boots", phase="test")
    assert status == 1
    assert output.endswith("boots: failed units: kdump.service\n")


def test_a_unit_that_may_fail_does_not_fail_the_boot(tmp_path: Path) -> None:
    instance = Instance(tmp_path, {"systemctl": DEGRADED})
    status, output = instance.run("boots", phase="test", values={"ignore_units": "x.service kdump.service"})
    assert status == 0, output
    assert "boots: kdump.service failed, and is ignored" in output


def test_a_target_that_is_not_reached_fails_the_boot(tmp_path: Path) -> None:
    unreached = "[[ $1 == is-active ]] && exit 3" + SYSTEMD
    status, output = Instance(tmp_path, {"systemctl": unreached}).run("boots", phase="test")
    assert status == 1
    assert output.endswith("boots: multi-user.target is not reached\n")


def test_a_boot_that_never_ends_fails_and_says_what_runs(tmp_path: Path) -> None:
    starting = "case $1 in is-system-running) echo starting ;; list-jobs) echo 12 slow.service ;; esac"
    instance = Instance(tmp_path, {"systemctl": starting})
    status, output = instance.run("boots", phase="test", values={"wait_seconds": "0"})
    assert status == 1
    assert output.endswith("boots: still starting after 0 seconds; jobs that run:\n12 slow.service\n")


@pytest.mark.parametrize(("code", "status"), [(0, 0), (2, 0), (1, 1)])
def test_cloud_init_must_be_done(tmp_path: Path, code: int, status: int) -> None:
    instance = Instance(tmp_path, {"systemctl": SYSTEMD, "cloud-init": f"exit {code}"})
    assert instance.run("boots", phase="test")[0] == status


def test_a_page_answers(tmp_path: Path, http_port: int) -> None:
    status, output = Instance(tmp_path, {}).run("http-responds", phase="test", values={"port": str(http_port)})
    assert (status, output) == (0, f"http-responds: attempt 1: http://127.0.0.1:{http_port}/ answered 200\n")


def test_a_wrong_status_fails_after_the_last_attempt(tmp_path: Path, http_port: int) -> None:
    instance = Instance(tmp_path, {"ss": "echo LISTEN"})
    values = {"port": str(http_port), "path": "/none", "attempts": "2"}
    status, output = instance.run("http-responds", phase="test", values=values)
    assert status == 1
    assert "attempt 2: " in output
    assert "attempt 3: " not in output
    assert output.endswith("/none never answered 200; what listens here:\nLISTEN\n")


def test_nothing_that_listens_is_no_answer(tmp_path: Path) -> None:
    values = {"port": "9", "attempts": "1"}
    status, output = Instance(tmp_path, {"ss": ""}).run("http-responds", phase="test", values=values)
    assert status == 1
    assert "answered 000\n" in output
