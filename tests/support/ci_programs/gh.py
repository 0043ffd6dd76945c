"""A stand-in for gh, with the calls of `examples/ci`, on files in `$GITHUB_STAND_IN`.

`comments.json` has the comments of pull request 7 of acme/estate, `pulls.json` the pull requests that are open.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

BOT = "github-actions[bot]"
COMMENTS = "repos/acme/estate/issues/7/comments"
OF_THE_BOT = f'.[] | select(.user.login == "{BOT}") | [.id, (.body | split("\\n")[0])] | @tsv'
NUMBERS = ".[].number"
"""The two programs for jq that are known; nothing here can run others."""


def main(arguments: list[str]) -> None:
    """Do what is asked. Raises ValueError for everything else."""
    assert os.environ["GH_TOKEN"]
    comments, pulls = read("comments"), read("pulls")
    match arguments:
        case ["api", "--paginate", place, "--jq", program] if (place, program) == (COMMENTS, OF_THE_BOT):
            for each in comments:
                if each["user"]["login"] == BOT:
                    first = each["body"].split("\n")[0]
                    print(each["id"], first.replace("\\", "\\\\").replace("\t", "\\t"), sep="\t")
        case ["api", "--silent", "--method", "POST", place, "--field", body] if place == COMMENTS:
            write("comments", [*comments, {"id": len(comments) + 1, "user": {"login": BOT}, "body": sent(body)}])
        case ["api", "--silent", "--method", "PATCH", place, "--field", body]:
            number = int(place.removeprefix("repos/acme/estate/issues/comments/"))
            comments[number - 1]["body"] = sent(body)
            write("comments", comments)
        case ["pr", "list", "--head", head, "--state", "open", "--json", "number", "--jq", program] if (
            program == NUMBERS
        ):
            print(*(each["number"] for each in pulls if each["head"] == head), sep="\n", end="")
        case ["pr", "create", "--head", head, "--base", base, "--title", title, "--body-file", file]:
            if any(each["head"] == head for each in pulls):
                sys.exit(f"a pull request for branch {head} already exists")
            new = {"number": len(pulls) + 1, "head": head, "base": base, "title": title, "body": text(file)}
            write("pulls", [*pulls, new])
        case ["pr", "edit", head, "--body-file", file]:
            (pull,) = (each for each in pulls if each["head"] == head)
            pull["body"] = text(file)
            write("pulls", pulls)
        case _:
            raise ValueError(arguments)


def read(name: str) -> list[Any]:
    """A list, which is empty at first."""
    file = Path(os.environ["GITHUB_STAND_IN"], f"{name}.json")
    found: list[Any] = json.loads(file.read_text()) if file.exists() else []
    return found


def write(name: str, content: list[Any]) -> None:
    """Keep a list."""
    Path(os.environ["GITHUB_STAND_IN"], f"{name}.json").write_text(json.dumps(content))


def sent(field: str) -> str:
    """The text of `body=@FILE`."""
    name, _, file = field.partition("=@")
    if name != "body":
        raise ValueError(field)
    return text(file)


def text(file: str) -> str:
    """Of a file, which GitHub refuses above its limit."""
    content = Path(file).read_text()
    if len(content) > 65_536:
        sys.exit("Body is too long (maximum is 65536 characters)")
    return content


main(sys.argv[1:])
