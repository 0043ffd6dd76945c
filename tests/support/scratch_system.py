"""A scratch root in which a component's bash steps run for real, with stand-ins for the commands of a system.

The root has bash, the plain commands that every distribution has, and what a test adds: files, and stand-ins for
commands that would act outside the root (package managers, systemctl, …), each of which records its calls. The steps
see nothing of the machine but its network, and run as its root user, or as a user that they take for root.

There is no `/proc`, so that a test can add the files of it that a step reads. Bash needs `/proc` only for `< <(…)`:
write `<<< "$(…)"` instead, which does not hide a failure either.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest
from ruamel.yaml import YAML

from tests.support.stand_ins import COMMANDS, OS_RELEASE, package_manager

COMPONENTS = Path(__file__).parents[2] / "components"

Files = Mapping[str, str | tuple[int, str]]

# The real commands: GNU's, which each distribution has, curl and unzip.
_REAL = (
    *("awk", "basename", "bash", "cat", "chmod", "chown", "cksum", "cmp", "cp", "curl", "cut", "date", "dirname", "du"),
    *("env", "false", "find", "getent", "grep", "gzip", "head", "id", "install", "ln", "ls", "md5sum", "mkdir"),
    *("mktemp", "mv", "nproc", "od", "paste", "printf", "pwd", "readlink", "realpath", "rm", "rmdir", "sed", "seq"),
    *("sha256sum", "sleep", "sort", "stat", "tail", "tar", "tee", "test", "timeout", "touch", "tr", "true", "truncate"),
    *("uname", "uniq", "unzip", "wc", "xargs"),
)
_ENVIRONMENT = {"PATH": "/usr/local/stand-ins:/usr/sbin:/usr/bin:/sbin:/bin"}
_STAND_INS = "usr/local/stand-ins"
_CALLS = f"{_STAND_INS}/.calls"

# A user namespace may not make devices, but may show those of the machine.
_ENTER = 'for name in null zero urandom; do mount --bind "/dev/$name" "$1/dev/$name"; done; exec chroot "$@"'


class Base:
    """What all roots share: commands and libraries, copied once; and how to get into a root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("dev", "etc", "home", "proc", "root", "run", "tmp", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin"):
            (folder / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (folder / name).symlink_to(f"usr/{name}")
        for name in ("usr/local/bin", _STAND_INS, "var/lib", "var/log", "var/tmp", "var/cache"):
            (folder / name).mkdir(parents=True)
        (folder / "root").chmod(0o700)
        for name in ("tmp", "var/tmp"):
            (folder / name).chmod(0o1777)
        found = {name: shutil.which(name, path=f"/usr/bin:/bin:{os.environ['PATH']}") for name in _REAL}
        lacking = [name for name, path in found.items() if path is None]
        if lacking:
            _give_up(f"commands that a scratch system needs are not installed: {', '.join(lacking)}")
        for name, path in found.items():
            shutil.copy2(str(path), folder / "usr/bin" / name)
        for library in _libraries(str(path) for path in found.values()):
            target = folder / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(library, target)
        self.entry = self._entry()

    def _entry(self) -> list[str]:
        """The command that enters a root, to be followed by the root and a command in it."""
        null = self.folder / "dev/null"
        device = ["mknod", "-m", "666", str(null), "c", "1", "3"]
        made = os.geteuid() == 0 and subprocess.run(device, capture_output=True).returncode == 0
        if made:
            for name, minor in (("zero", "5"), ("urandom", "9")):
                subprocess.run(["mknod", "-m", "666", self.folder / "dev" / name, "c", "1", minor], check=True)
        else:
            for name in ("null", "zero", "urandom"):
                (self.folder / "dev" / name).touch()
        way = ["chroot"] if made else ["unshare", "--map-root-user", "--mount", "sh", "-ec", _ENTER, "sh"]
        probe = [str(self.folder), "/bin/bash", "-c", "exec < /dev/null > /dev/null"]
        try:
            done = subprocess.run([*way, *probe], capture_output=True, text=True, env=_ENVIRONMENT)
        except FileNotFoundError as error:
            _give_up(f"no scratch root can be entered: {error}")
        if done.returncode != 0:
            _give_up(f"no scratch root can be entered: {' '.join(way[:3])}: {done.stderr.strip()}")
        return way


class System:
    """A fresh system for one test.

    `os` is a key of `stand_ins.OS_RELEASE`: it sets `/etc/os-release` and the package manager. `files` are put into the
    root: a path to its text, or to (mode, text); a path that ends in `/` is a folder, and text that begins with `-> `
    makes a link. `commands` are stand-ins: name to bash script (`$calls` is the file of calls), added to those of the
    system or replacing them; `without` names commands that do not exist. `objects` are what S3Download and WebDownload
    find, by their address.
    """

    def __init__(
        self,
        folder: Path,
        *,
        base: Base,
        os: str = "amazon-linux-2023",
        files: Files | None = None,
        commands: Mapping[str, str] | None = None,
        without: Iterable[str] = (),
        objects: Mapping[str, bytes] | None = None,
    ) -> None:
        self.root = folder
        self._base = base
        self.objects = dict(objects or {})
        hidden = set(without)
        shutil.copytree(base.folder, folder, symlinks=True, copy_function=_link)
        for name in hidden:
            (folder / "usr/bin" / name).unlink(missing_ok=True)
        (folder / _CALLS).touch()
        for name, script in {**COMMANDS, **package_manager(os), **(commands or {})}.items():
            if name not in hidden:
                self.add_command(name, script)
        accounts = {"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n", "/etc/group": "root:x:0:\n"}
        self.write({"/etc/os-release": OS_RELEASE[os], **accounts, **(files or {})})

    def add_command(self, name: str, script: str) -> None:
        """Adds a stand-in, replacing one with the same name."""
        path = self.root / _STAND_INS / name
        call = f'calls=/{_CALLS}\narguments=$*\necho "{name}${{arguments:+ ${{arguments//$\'\\n\'/ }}}}" >> "$calls"'
        path.write_text(f"#!/bin/bash\n{call}\n{script}\n")
        path.chmod(0o755)

    def write(self, files: Files) -> None:
        """Puts files there, as the constructor does."""
        for path, value in files.items():
            mode, text = value if isinstance(value, tuple) else (0o755 if path.endswith("/") else 0o644, value)
            target = self.root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.endswith("/"):
                target.mkdir(exist_ok=True)
            elif text.startswith("-> "):
                target.symlink_to(text.removeprefix("-> "))
                continue
            else:
                # Never through a link to a file that other roots share.
                target.unlink(missing_ok=True)
                target.write_text(text)
            target.chmod(mode)

    def files(self) -> dict[str, tuple[int, str]]:
        """What is in the root, except commands and libraries: (mode, text), in the form that `write` takes."""
        found = {}
        for place, names, others in os.walk(self.root):
            folder = Path(place)
            at = folder.relative_to(self.root)
            if str(at) in ("usr/bin", "usr/lib", "usr/lib64", _STAND_INS, "dev"):
                names.clear()
                continue
            for name in (*names, *others):
                path = folder / name
                mode = path.lstat().st_mode
                if stat.S_ISLNK(mode):
                    found[f"/{at / name}"] = 0o777, f"-> {path.readlink()}"
                elif stat.S_ISDIR(mode):
                    found[f"/{at / name}/"] = stat.S_IMODE(mode), ""
                else:
                    found[f"/{at / name}"] = stat.S_IMODE(mode), path.read_bytes().decode(errors="replace")
        return found

    def calls(self) -> list[str]:
        """The stand-ins' calls, and reboots, oldest first."""
        return (self.root / _CALLS).read_text().splitlines()

    def run(
        self, component: str, *, phase: str, values: Mapping[str, str] | None = None, platform: str = "linux"
    ) -> tuple[int, str]:
        """Runs a phase's steps as the executor would: exit status of the last that ran, and all output.

        A step is tried as often as its `maxAttempts` say, and the first that fails ends the phase. Raises KeyError for
        a parameter without a value, a phase that is not there, or an action that is not imitated.
        """
        document = YAML(typ="safe").load(COMPONENTS / component / f"{platform}.yaml")
        declared = {name: fields for each in document.get("parameters", []) for name, fields in each.items()}
        given = {name: fields["default"] for name, fields in declared.items() if "default" in fields}
        given |= values or {}
        if set(given) != set(declared):
            raise KeyError(f"without a value, or not declared: {set(given) ^ set(declared)}")
        status, output = 0, ""
        for step in {each["name"]: each["steps"] for each in document["phases"]}[phase]:
            for _ in range(int(step.get("maxAttempts", 1))):
                status, said = self._step(step["action"], _filled(step["inputs"], given))
                output += said
                if status == 0:
                    break
            if status != 0:
                break
        return status, output

    def bash(self, script: str) -> tuple[int, str]:
        """Runs a script in the root: exit status and output, stdout and stderr together."""
        done = subprocess.run(
            [*self._base.entry, self.root, "/bin/bash", "-c", script],
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout

    def _step(self, action: str, inputs: Any) -> tuple[int, str]:
        if action == "ExecuteBash":
            return self.bash("\n".join(inputs["commands"]))
        if action == "Reboot":
            with (self.root / _CALLS).open("a") as calls:
                calls.write("Reboot\n")
            return 0, ""
        if action not in ("S3Download", "WebDownload"):
            raise KeyError(f"this action is not imitated: {action}")
        for each in inputs:
            if each["source"] not in self.objects:
                return 1, f"{action}: {each['source']} does not exist\n"
            target = self.root / each["destination"].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.objects[each["source"]])
        return 0, ""


NewSystem = Callable[..., System]
"""What the fixture `system` gives: makes a fresh system with each call, from the arguments of `System`."""


def last_line(output: str) -> str:
    """What a person who looks for the failure reads first."""
    return output.splitlines()[-1]


def built_twice(
    system: System, component: str, values: Mapping[str, str] | None = None, *, platform: str = "linux"
) -> str:
    """Builds and validates twice; what the first build printed. The second changes nothing."""
    status, first = system.run(component, phase="build", values=values, platform=platform)
    assert status == 0, first
    status, output = system.run(component, phase="validate", values=values, platform=platform)
    assert status == 0, output
    before = system.files()
    for phase in ("build", "validate"):
        status, output = system.run(component, phase=phase, values=values, platform=platform)
        assert status == 0, output
    assert system.files() == before
    return first


def passed(system: System, component: str, values: Mapping[str, str] | None = None, *, platform: str = "linux") -> str:
    """What a component's test prints, which passes."""
    status, output = system.run(component, phase="test", values=values, platform=platform)
    assert status == 0, output
    return output


def failure(system: System, component: str, values: Mapping[str, str] | None = None, *, platform: str = "linux") -> str:
    """The last line of a component's test, which fails."""
    status, output = system.run(component, phase="test", values=values, platform=platform)
    assert status != 0, output
    return last_line(output)


def _filled(inputs: Any, values: Mapping[str, str]) -> Any:
    """A step's inputs with the parameters' values in place, textually."""
    if isinstance(inputs, list):
        return [_filled(each, values) for each in inputs]
    if isinstance(inputs, dict):
        return {key: _filled(each, values) for key, each in inputs.items()}
    text = str(inputs)
    for name, value in values.items():
        text = text.replace("{{ " + name + " }}", value)
    assert "{{" not in text, f"a parameter that is not declared in:\n{text}"
    return text


def _libraries(programs: Iterable[str]) -> set[str]:
    """The files that programs load: `libc.so.6 => /lib/… (0x…)`, or the loader's path alone."""
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True).stdout
    words = (word for line in listed.splitlines() if line.startswith("\t") for word in line.split())
    loaded = {word for word in words if word.startswith("/") and not word.endswith(":")}
    # Before glibc 2.34, looking up an account loads one more.
    accounts = {str(Path(path).with_name("libnss_files.so.2")) for path in loaded if Path(path).name == "libc.so.6"}
    return loaded | {path for path in accounts if Path(path).exists()}


def _link(source: str, target: str) -> None:
    """A file of the base in a root: one copy on disk, and a device stays one."""
    os.link(source, target)


def _give_up(lack: str) -> NoReturn:
    """Skips, or fails where every test must run."""
    if os.environ.get("GOLDSMITH_REQUIRE_TERRAFORM"):
        pytest.fail(lack)
    pytest.skip(lack)
