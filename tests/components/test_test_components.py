"""The components that test an application, run for real: they pass, or say what is not as it should be.

And how the parameters of all test components are declared.
"""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from estate.component_documents.document import parse
from tests.support.scratch_system import COMPONENTS, NewSystem, System, failure, passed

TEST_COMPONENTS = (
    "boots",
    "command-succeeds",
    "http-responds",
    "patch-installed",
    "port-listens",
    "security-baseline",
)
DOCUMENTS = [path for name in TEST_COMPONENTS for path in sorted((COMPONENTS / name).glob("*.yaml"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_parameter_takes_its_default_and_says_what_that_does(path: Path) -> None:
    for name, parameter in parse(path.read_text(), source=str(path)).parameters.items():
        assert parameter.default is None or parameter.takes(parameter.default), name
        assert parameter.default is None or "default" in parameter.description, name


def test_numbers_switches_and_choices_declare_their_kind() -> None:
    kinds = {
        (path.parent.name, name, parameter.kind)
        for path in DOCUMENTS
        for name, parameter in parse(path.read_text(), source=str(path)).parameters.items()
        if parameter.kind != "text"
    }
    assert kinds == {
        ("boots", "wait_seconds", "a whole number"),
        ("boots", "check_time", "true or false"),
        ("http-responds", "port", "a whole number"),
        ("http-responds", "status", "a whole number"),
        ("http-responds", "attempts", "a whole number"),
        ("port-listens", "port", "a whole number"),
        ("port-listens", "protocol", "one of tcp, udp"),
        ("port-listens", "attempts", "a whole number"),
        ("command-succeeds", "status", "a whole number"),
        ("command-succeeds", "attempts", "a whole number"),
        ("patch-installed", "security_updates", "true or false"),
        ("security-baseline", "ssh_passwords", "true or false"),
        ("security-baseline", "idle_seconds", "a whole number"),
        ("security-baseline", "password_days", "a whole number"),
        ("security-baseline", "password_length", "a whole number"),
        ("security-baseline", "lockout_attempts", "a whole number"),
        ("security-baseline", "firewall", "true or false"),
        ("security-baseline", "audit", "true or false"),
    }


# http-responds


@pytest.fixture
def http_port() -> Iterator[int]:
    """A server on loopback that answers `/` with 200 and a text, and everything else with 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.end_headers()
            self.wfile.write(b"<h1>It's up</h1>\nsecond line\0\n")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("platform", ["linux", "macos"])
def test_a_page_answers_with_its_text(system: NewSystem, http_port: int, platform: str) -> None:
    values = {"port": str(http_port), "body": "It's up</h1>\nsecond"}
    output = passed(system(), "http-responds", values, platform=platform)
    assert output == f"http-responds: attempt 1: http://127.0.0.1:{http_port}/ answered 200\n"


def test_a_wrong_status_fails_after_the_last_attempt(system: NewSystem, http_port: int) -> None:
    values = {"port": str(http_port), "path": "/none", "attempts": "2"}
    status, output = system(commands={"ss": "echo LISTEN"}).run("http-responds", phase="test", values=values)
    assert status == 1
    assert "attempt 2: " in output
    assert "attempt 3: " not in output
    assert "It's up" in output
    assert output.splitlines()[-2:] == [
        "LISTEN",
        f"http-responds: http://127.0.0.1:{http_port}/none never answered 200, in 2 attempts",
    ]
    passed(system(), "http-responds", {**values, "status": "404"})


def test_a_body_without_the_text_fails(system: NewSystem, http_port: int) -> None:
    values = {"port": str(http_port), "body": "It's down", "attempts": "1"}
    assert failure(system(), "http-responds", values).endswith(
        "answered 200 without the text: It's down, in 1 attempts"
    )


def test_a_port_on_which_nothing_listens_fails(system: NewSystem) -> None:
    status, output = system().run("http-responds", phase="test", values={"port": "9", "attempts": "1"})
    assert (status, "answered 000\n" in output) == (1, True)


def test_says_that_curl_is_missing(system: NewSystem) -> None:
    assert failure(system(without=["curl"]), "http-responds") == "http-responds: curl is not installed"


# port-listens

# As iproute2 prints them: of today with * for both protocols, that of version 7 with :::80.
SS = """cat <<'END'
State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
LISTEN 0      128    127.0.0.1:5432      0.0.0.0:*
LISTEN 0      511    *:80                *:*
LISTEN 0      511    :::81               :::*
LISTEN 0      511    [::]:82             [::]:*
UNCONN 0      0      0.0.0.0:53          0.0.0.0:*
LISTEN 0      128    [::1]:83            [::]:*
END
"""
PROC = {
    "/proc/net/tcp": "  sl  local_address rem_address   st\n"
    "   0: 0100007F:1538 00000000:0000 0A 0\n"
    "   1: 00000000:0035 00000000:0000 0A 0\n"
    "   2: 0100007F:0054 0100007F:1538 01 0\n",
    "/proc/net/tcp6": "  sl  local_address rem_address   st\n"
    "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0\n"
    "   1: 00000000000000000000000000000000:0051 00000000000000000000000000000000:0000 0A 0\n"
    "   2: 00000000000000000000000001000000:0053 00000000000000000000000000000000:0000 0A 0\n",
    "/proc/net/udp": "  sl  local_address rem_address   st\n   0: 00000000:0035 00000000:0000 07 0\n",
}
LSOF = r"""
case "$*" in
  *:80*) printf '%s\n' p1 f6 'n*:80' ;;
  *:53*) printf '%s\n' p1 f6 'n*:53' ;;
  *:5432*) printf '%s\n' p2 f7 'n127.0.0.1:5432' 'n127.0.0.1:5432->127.0.0.1:999' ;;
  *:83*) printf '%s\n' p3 f7 'n[::1]:83' ;;
  *) exit 1 ;;
esac
"""
LISTENING = {"ss": ("linux", {"ss": SS}), "proc": ("linux", {}), "lsof": ("macos", {"lsof": LSOF})}


@pytest.fixture(params=LISTENING)
def listening(request: pytest.FixtureRequest, system: NewSystem) -> tuple[System, str]:
    """A system where something listens, known by each way to ask, and its platform."""
    platform, commands = LISTENING[request.param]
    return system(commands=commands, files=PROC if request.param == "proc" else {}), platform


@pytest.mark.parametrize(
    ("port", "address", "at"),
    [
        ("80", "", None),
        ("80", "10.0.0.1", None),
        ("80", "0.0.0.0", None),
        ("5432", "", "127.0.0.1"),
        ("5432", "127.0.0.1", "127.0.0.1"),
        ("83", "::1", "::1"),
    ],
)
def test_a_port_is_listened_on(listening: tuple[System, str], port: str, address: str, at: str | None) -> None:
    one, platform = listening
    output = passed(one, "port-listens", {"port": port, "address": address}, platform=platform)
    assert output.startswith(f"port-listens: attempt 1: tcp port {port} is listened on, at ")
    assert at is None or output.rstrip("\n").removesuffix("]").endswith(at)


def test_udp_is_looked_for_among_udp_sockets(listening: tuple[System, str]) -> None:
    one, platform = listening
    passed(one, "port-listens", {"port": "53", "protocol": "udp"}, platform=platform)
    assert not [call for call in one.calls() if "tcp" in call]


@pytest.mark.parametrize(
    ("values", "last"),
    [
        ({"port": "8080"}, "port-listens: nothing listens on tcp port 8080, in 2 attempts"),
        ({"port": "84"}, "port-listens: nothing listens on tcp port 84, in 2 attempts"),
        (
            {"port": "5432", "address": "0.0.0.0"},
            "port-listens: tcp port 5432 is listened on at 127.0.0.1 only, not at 0.0.0.0",
        ),
        (
            {"port": "5432", "address": "::1"},
            "port-listens: tcp port 5432 is listened on at 127.0.0.1 only, not at ::1",
        ),
    ],
)
def test_says_who_listens_instead(listening: tuple[System, str], values: dict[str, str], last: str) -> None:
    one, platform = listening
    assert failure(one, "port-listens", {**values, "attempts": "2"}, platform=platform) == last


@pytest.mark.parametrize(
    ("port", "address", "status"), [("81", "0.0.0.0", 0), ("82", "0.0.0.0", 1), ("82", "::", 0), ("82", "::1", 0)]
)
def test_a_socket_of_ipv6_serves_ipv4_unless_it_is_for_ipv6_only(
    system: NewSystem, port: str, address: str, status: int
) -> None:
    values = {"port": port, "address": address, "attempts": "1"}
    assert system(commands={"ss": SS}).run("port-listens", phase="test", values=values)[0] == status


def test_waits_until_something_listens(system: NewSystem) -> None:
    late = '[[ $(grep -c "^ss" "$calls") -lt 3 ]] || ' + SS
    output = passed(system(commands={"ss": late}), "port-listens", {"port": "80"})
    assert output.splitlines()[-1] == "port-listens: attempt 3: tcp port 80 is listened on, at *"


# command-succeeds

ODD = """x='a b'; echo "It's $x" `echo ok`; printf '\\0\\n'; ls /nowhere"""


@pytest.mark.parametrize("platform", ["linux", "macos"])
def test_a_command_ends_and_prints_as_it_should(system: NewSystem, platform: str) -> None:
    values = {"command": f"true\n{ODD}", "status": "2", "output": "It's a b ok"}
    output = passed(system(), "command-succeeds", values, platform=platform)
    assert "No such file" in output
    assert output.endswith("command-succeeds: attempt 1: ended with status 2\n")


@pytest.mark.parametrize(
    ("values", "last"),
    [
        ({"command": "exit 3"}, "command-succeeds: the command ended with status 3, not 0"),
        ({"command": "true", "status": "1"}, "command-succeeds: the command ended with status 0, not 1"),
        ({"command": "echo 1.2", "output": "1.3"}, "command-succeeds: the command did not print: 1.3"),
        ({"command": "nonesuch"}, "command-succeeds: the command ended with status 127, not 0"),
        ({"command": ""}, "command-succeeds: the parameter command is empty"),
    ],
)
def test_says_what_a_command_did_instead(system: NewSystem, values: dict[str, str], last: str) -> None:
    assert failure(system(), "command-succeeds", values) == last


def test_tries_a_command_again(system: NewSystem) -> None:
    command = "echo x >> /tmp/tries; [[ $(wc -l < /tmp/tries) -eq 3 ]]"
    assert "attempt 3: ended with status 0" in passed(
        system(), "command-succeeds", {"command": command, "attempts": "5"}
    )
    one = system()
    assert failure(one, "command-succeeds", {"command": command, "attempts": "2"}).endswith("status 1, not 0")
    assert one.calls() == ["sleep 2"]
