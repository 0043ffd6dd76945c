"""The history of an image's channels: each move is one JSON object in a bucket of the home region.

The object comes before the parameters, and is written only if there is no object with its number yet. So two writers
have one order: the one whose number is taken looks at everything again before it decides. What an object says and a
parameter does not show yet is completed by the same command, or by the function.

The objects are `moves/<image>/<number>.json`. Their bucket belongs to the stack `history-<region>`, which is kept when
an image's stack is destroyed; its policy refuses to write an object twice, or to delete one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from .answers import GarbledAnswer, ask, entries, member, pages, text
from .failures import code_of

MOST_READ = 1000
"""How many objects are read at most in one look; a run that knows what the last one read needs none. Reading so many
takes half a minute."""

NOT_COMPLETED = "not completed"
"""How a channel came to stay where it is in a region, although a move should have taken it elsewhere."""

SOAK, GATE = "soak", "gate"
"""What a person can skip in a move, with a reason."""

_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a move changes in one region."""

    build: str
    """The ARN of the build; empty for an AMI that no build made."""
    created: str | None
    """When the build was made, in ISO 8601."""
    value: str
    previous: str | None
    version: int
    """The version of the parameter that the move replaces; 0 if there was none."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """One move of a channel, in one or more regions."""

    number: int
    channel: str
    how: str
    by: str
    why: str
    at: str
    """When it was decided, in ISO 8601, by the clock of who decided."""
    run: str
    """A random text: an object with this number is this very one."""
    changes: Mapping[str, Change] = field(default_factory=dict)
    """By region."""
    skipped: tuple[str, ...] = ()
    """What normally comes first and was skipped: SOAK, GATE."""
    noted: bool = False
    """Whether it was found in a parameter, and written into the history afterwards: there is nothing to complete."""

    def to_json(self) -> str:
        """The object's text."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @staticmethod
    def from_json(written: str) -> Move:
        """From an object's text, which may have members that are newer than this program. Raises GarbledAnswer for any
        other text."""
        try:
            members = json.loads(written)
            changes = {region: Change(**_known(Change, change)) for region, change in members.pop("changes").items()}
            skipped = tuple(members.pop("skipped", ()))
            move = Move(**_known(Move, members), changes=changes, skipped=skipped)
            if not isinstance(move.number, int):
                raise TypeError("its number is not a number")
            return move
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise GarbledAnswer(f"an object of the history is no move: {error}") from error


def _known(kind: type[Change | Move], members: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in members.items() if name in names}


@dataclass(frozen=True)
class History:
    """The moves of one image. Its methods raise GarbledAnswer, and what boto3 raises."""

    s3: Any
    """The client of S3 in the home region."""
    bucket: str
    account: str
    """The account that owns the bucket; a bucket of another one is never used."""
    image: str

    def add(self, move: Move) -> bool:
        """Write a move. False when another one has its number already."""
        try:
            self._write(self._key(move.number), move.to_json(), IfNoneMatch="*")
        except ClientError as error:
            if code_of(error) not in _TAKEN:
                raise
            # the answer to an earlier try of this very call may have been lost
            return code_of(error) == "PreconditionFailed" and self.get(move.number).run == move.run
        return True

    def get(self, number: int) -> Move:
        """One move."""
        try:
            return Move.from_json(self._read(self._key(number)))
        except GarbledAnswer as error:
            raise GarbledAnswer(f"{self._key(number)}: {error}") from error

    def find(self, number: int) -> Move | None:
        """One move; None when there is none with this number."""
        try:
            return self.get(number)
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise
        return None

    def moves(self, *, after: int = 0, most: int | None = MOST_READ) -> Iterator[Move]:
        """The moves with greater numbers, in their order; of more than `most`, the last ones."""
        numbers = self.numbers(after=after)
        for number in numbers[-most:] if most else numbers:
            yield self.get(number)

    def numbers(self, *, after: int = 0) -> list[int]:
        """The greater numbers of moves, in their order."""
        return sorted(self._numbers(after))

    def read_cache(self) -> str | None:
        """What the last run of the function knew; None when there is nothing."""
        try:
            return self._read(self._cache)
        except ClientError as error:
            if code_of(error) in ("NoSuchKey", "AccessDenied"):  # S3 hides whether an object exists from some
                return None
            raise

    def write_cache(self, written: str) -> None:
        """Replace it."""
        self._write(self._cache, written)

    @property
    def _cache(self) -> str:
        return f"cache/{self.image}.json"

    def _key(self, number: int) -> str:
        return f"moves/{self.image}/{number:08d}.json"

    def _numbers(self, after: int) -> Iterator[int]:
        folder = f"moves/{self.image}/"
        for page in pages(
            self.s3,
            "list_objects_v2",
            Bucket=self.bucket,
            Prefix=folder,
            StartAfter=self._key(after),
            ExpectedBucketOwner=self.account,
        ):
            member(page, "Name", str)  # otherwise something else has answered, and there may be moves
            for entry in entries(page, "Contents") if "Contents" in page else ():
                name = (text(entry, "Key") or "").removeprefix(folder).removesuffix(".json")
                if name.isdecimal():
                    yield int(name)

    def _write(self, key: str, written: str, **condition: str) -> None:
        answer = ask(
            self.s3.put_object,
            Bucket=self.bucket,
            Key=key,
            Body=written.encode(),
            ContentType="application/json",
            ExpectedBucketOwner=self.account,
            **condition,
        )
        member(answer, "ETag", str)  # otherwise something else has answered, and nothing may be written

    def _read(self, key: str) -> str:
        def read() -> bytes:
            answer = self.s3.get_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self.account)
            member(answer, "ETag", str)
            return bytes(member(answer, "Body", StreamingBody).read())

        # whoever reads the text finds what is wrong with it
        return ask(read).decode(errors="replace")
