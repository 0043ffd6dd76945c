"""The scratch system itself: what steps see in it, and what tests see of their steps."""

import pytest

from tests.support.scratch_system import Files, NewSystem


def test_steps_see_nothing_of_the_machine_but_their_root(system: NewSystem) -> None:
    one = system(os="sles-15", files={"/etc/own": "1\n"})
    status, output = one.bash(f"ls -d {one.root} /opt /sys; ls /etc; id -un; echo ~")
    assert status == 0
    assert output.splitlines()[-6:] == ["group", "os-release", "own", "passwd", "root", "/root"]
    assert output.count("No such file or directory") == 3


def test_files_are_read_as_they_are_written(system: NewSystem) -> None:
    files: Files = {"/srv/": (0o700, ""), "/srv/a": (0o640, "text\n"), "/srv/b": (0o777, "-> a")}
    one = system(files=files)
    assert {path: entry for path, entry in one.files().items() if path.startswith("/srv/")} == files
    assert one.bash("cat /srv/b; rm /srv/b; chmod 600 /srv/a; echo more >> /srv/a") == (0, "text\n")
    found = one.files()
    assert found["/srv/a"] == (0o600, "text\nmore\n")
    assert "/srv/b" not in found


def test_systems_do_not_share_what_they_change(system: NewSystem) -> None:
    one, two = system(), system()
    assert one.bash("rm /usr/bin/cat; touch /etc/mine")[0] == 0
    assert one.bash("cat /etc/os-release")[0] == 127
    assert two.bash("cat /etc/os-release")[0] == 0
    assert "/etc/mine" not in two.files()


def test_stand_ins_record_their_calls_and_come_before_real_commands(system: NewSystem) -> None:
    one = system(commands={"date": "echo today", "snap": "exit 4"}, without=["grep"])
    assert one.bash("date; snap list 'a b'") == (4, "today\n")
    assert one.calls() == ["date", "snap list a b"]
    assert one.bash("grep a b")[0] == 127


def test_a_step_is_tried_as_often_as_it_says(system: NewSystem) -> None:
    one = system(os="rhel-7", commands={"yum": "(( $(wc -l < $calls) > 2 ))"})
    assert one.run("install-packages", phase="build", values={"packages": "git"})[0] == 0
    assert one.calls() == ["yum --assumeyes install -- git"] * 3


@pytest.mark.parametrize("values", [{}, {"packages": "git", "package": "git"}])
def test_parameters_are_all_given_and_no_others(system: NewSystem, values: dict[str, str]) -> None:
    with pytest.raises(KeyError, match=r"without a value, or not declared: \{'packages?'\}"):
        system().run("install-packages", phase="build", values=values)
