"""deploy-app and run-script, Linux, run for real in scratch systems."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Literal

import pytest

from tests.support.scratch_system import NewSystem, built_twice, last_line
from tests.support.stand_ins import FAMILIES

EACH_FAMILY = pytest.mark.parametrize("manager", FAMILIES)

# deploy-app

INSTALLER = "#!/bin/bash\nset -e\necho installing\ncat app.conf > /etc/app.conf\n"
CONTENT = {"install.sh": INSTALLER, "app.conf": "port=80\n"}
S3 = "s3://acme-releases/web"


def tar(content: Mapping[str, str], *, mode: Literal["w", "w:gz"] = "w:gz") -> bytes:
    """A tar archive of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, text in content.items():
            member = tarfile.TarInfo(name)
            member.size, member.uid = len(text), 1000
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def zipped(content: Mapping[str, str]) -> bytes:
    """A ZIP archive of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def of(archive: bytes, **others: str) -> dict[str, str]:
    """The component's parameters for an archive."""
    return {"archive": S3, "sha256": hashlib.sha256(archive).hexdigest(), **others}


@pytest.mark.parametrize("archive", [tar(CONTENT), tar(CONTENT, mode="w"), zipped(CONTENT)], ids=["gz", "tar", "zip"])
@EACH_FAMILY
def test_deploys_an_archive_once(system: NewSystem, manager: str, archive: bytes) -> None:
    one = system(os=FAMILIES[manager], objects={S3: archive})
    output = built_twice(one, "deploy-app", of(archive))
    assert last_line(output) == f"deploy-app: {S3} is deployed in /opt/app"
    assert one.files()["/etc/app.conf"] == (0o644, "port=80\n")
    assert "/var/tmp/deploy-app.archive" not in one.files()
    assert one.run("deploy-app", phase="test", values=of(archive))[0] == 0


def test_takes_the_place_of_what_it_deployed_before(system: NewSystem) -> None:
    first, second = tar({**CONTENT, "old": ""}), tar({**CONTENT, "app.conf": "port=81\n"})
    one = system(objects={S3: first})
    built_twice(one, "deploy-app", of(first))
    one.objects[S3] = second
    built_twice(one, "deploy-app", of(second, sha256=hashlib.sha256(second).hexdigest().upper()))
    assert one.files()["/etc/app.conf"] == (0o644, "port=81\n")
    assert "/opt/app/old" not in one.files()


def test_an_archive_needs_no_installer(system: NewSystem) -> None:
    archive = tar({"bin/app": "#!/bin/bash\n"})
    one = system(objects={S3: archive})
    values = of(archive, installer="", folder="/srv/site")
    built_twice(one, "deploy-app", values)
    assert "/srv/site/bin/app" in one.files()


APP = tar(CONTENT)
SUM = hashlib.sha256(APP).hexdigest()
FAILING = tar({"install.sh": "#!/bin/bash\necho 'no database' >&2\nexit 3\n"})


@pytest.mark.parametrize(
    ("archive", "values", "said"),
    [
        (APP, {"sha256": "0" * 64}, f"the checksum of {S3} is {SUM}, not {'0' * 64}: not deployed"),
        (APP, {"folder": "/etc"}, "/etc holds something else; choose a folder that is new or empty"),
        (APP, {"folder": "opt"}, "the folder must be a path from the root, as in /opt/app: 'opt'"),
        (APP, {"folder": "/"}, "the folder must be a path from the root, as in /opt/app: '/'"),
        (APP, {"installer": "setup"}, f"{S3} has no setup; what it has is above"),
        (b"hello", {}, f"{S3} could not be unpacked by tar"),
        (b"PK hello", {}, f"{S3} could not be unpacked by unzip"),
        (FAILING, {}, "install.sh ended with status 3; what it printed is above"),
    ],
)
def test_says_why_an_archive_is_not_deployed(
    system: NewSystem, archive: bytes, values: Mapping[str, str], said: str
) -> None:
    one = system(objects={S3: archive})
    before = one.files()
    status, output = one.run("deploy-app", phase="build", values={**of(archive), **values})
    assert (status, last_line(output)) == (1, f"deploy-app: {said}")
    after = one.files()
    assert {path: after[path] for path in after if path != "/opt/"} == before, "a failure leaves nothing behind"


def test_says_that_unzip_is_not_installed(system: NewSystem) -> None:
    archive = zipped(CONTENT)
    one = system(objects={S3: archive}, without=["unzip"])
    status, output = one.run("deploy-app", phase="build", values=of(archive))
    assert (status, last_line(output)) == (
        1,
        "deploy-app: unzip is not installed: let install-packages do it before this component",
    )


@pytest.mark.parametrize("phase", ["validate", "test"])
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("rm -r /opt/app", "nothing is deployed in /opt/app"),
        ("echo 12 > /opt/app/.deployed-sha256", f"/opt/app has the archive with checksum 12, not {SUM}"),
        ("rm /opt/app/install.sh", "/opt/app/install.sh, the installer, is gone"),
    ],
)
def test_finds_an_app_that_is_not_as_it_was_deployed(system: NewSystem, phase: str, broken: str, said: str) -> None:
    one = system(objects={S3: APP})
    built_twice(one, "deploy-app", of(APP))
    assert one.bash(broken)[0] == 0
    status, output = one.run("deploy-app", phase=phase, values=of(APP))
    assert (status, last_line(output)) == (1, f"deploy-app: {said}")


# run-script


@pytest.mark.parametrize("platform", ["linux", "macos"])
def test_runs_a_script_and_its_check(system: NewSystem, platform: str) -> None:
    one = system()
    script = 'name="it\'s"\nmkdir -p /srv/site\nfor word in a b; do\n  echo "$name $word"\ndone > /srv/site/text\n'
    values = {"script": script, "check": 'grep -q "it\'s b" /srv/site/text'}
    assert built_twice(one, "run-script", values, platform=platform) == "run-script: the script succeeded\n"
    assert one.files()["/srv/site/text"] == (0o644, "it's a\nit's b\n")
    assert one.run("run-script", phase="test", values=values, platform=platform) == (
        0,
        "run-script: the check succeeded\n",
    )
    assert not [path for path in one.files() if path.startswith("/tmp/") and path != "/tmp/"]


@pytest.mark.parametrize(
    ("script", "status"), [("echo before\nfalse\necho after", 1), ("exit 7", 7), ("cat ${nothing}", 1), ("if", 2)]
)
def test_says_that_the_script_failed(system: NewSystem, script: str, status: int) -> None:
    found, output = system().run("run-script", phase="build", values={"script": script})
    assert found == 1
    assert "after" not in output
    assert last_line(output) == f"run-script: the script ended with status {status}; what it printed is above"


def test_says_that_the_script_is_empty(system: NewSystem) -> None:
    assert system().run("run-script", phase="build", values={"script": " \n\n"}) == (
        1,
        "run-script: the parameter script is empty\n",
    )


@pytest.mark.parametrize("phase", ["validate", "test"])
def test_says_that_the_check_failed(system: NewSystem, phase: str) -> None:
    status, output = system().run("run-script", phase=phase, values={"script": "true", "check": "ls /none"})
    assert status == 1
    assert "/none" in output
    assert last_line(output) == "run-script: the check ended with status 2; what it printed is above"


def test_a_script_needs_no_check(system: NewSystem) -> None:
    assert system().run("run-script", phase="validate", values={"script": "true"}) == (
        0,
        "run-script: no check is given\n",
    )
