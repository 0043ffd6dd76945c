"""What people are notified of: one plain sentence each, once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_src.handoff.configuration import ChannelRule
from lambda_src.handoff.holds import Hold
from lambda_src.handoff.notices import SUBJECT_LIMIT, Topics
from tests.support.handoff_world import HOME, ImageWorld, Run
from tests.support.memory_aws import refusal


class Inbox:
    """Receives notifications; `refusal` is an error for all of them."""

    def __init__(self, web: ImageWorld) -> None:
        self.refusal: ClientError | None = None
        self.web = web
        self._texts: list[str] = []

    def __call__(self, *, subject: str, text: str) -> None:
        if self.refusal:
            raise self.refusal
        assert subject == text.removeprefix("Image ")
        self._texts.append(text.removeprefix(f"Image acme/{self.web.name}: "))

    def run(self, **options: Any) -> Sequence[str]:
        """What one run of the function sends."""
        self.ended = self.web.run(publish=self, **options)
        sent, self._texts = self._texts, []
        return sent

    ended: Run


@pytest.fixture
def inbox(web: ImageWorld) -> Inbox:
    return Inbox(web)


def _build(web: ImageWorld, arn: str) -> str:
    """A build as a notification names it."""
    created = datetime.fromisoformat(web.details(arn)["dateCreated"])
    return f"the build of {created:%-d %b %H:%M} UTC, {'/'.join(arn.split('/')[-2:])},"


def test_move_in_all_regions_is_one_sentence_and_is_sent_once(web: ImageWorld, inbox: Inbox) -> None:
    build = web.build()
    assert inbox.run() == [f"latest points to {_build(web, build)} in eu-west-1 and us-east-1, new build."]
    assert inbox.run() == []


def test_channel_that_moves_by_itself_says_why(web: ImageWorld, inbox: Inbox) -> None:
    web.image = replace(web.image, channels={"stable": ChannelRule(source="latest", soak_minutes=60)})
    build = web.build()
    inbox.run()
    assert inbox.run(now=datetime.now().astimezone() + timedelta(hours=2)) == [
        f"stable points to {_build(web, build)} in eu-west-1 and us-east-1, soaked: was in latest long enough."
    ]


def test_what_could_not_be_sent_is_sent_by_the_next_run(web: ImageWorld, inbox: Inbox) -> None:
    build = web.build()
    inbox.refusal = ClientError({"Error": {"Code": "Throttling", "Message": "slow down"}}, "Publish")
    assert inbox.run() == []
    assert "notifications: " in inbox.ended.error, "a retry can fix it"
    inbox.refusal = None
    assert inbox.run() == [f"latest points to {_build(web, build)} in eu-west-1 and us-east-1, new build."]


def test_refusal_for_good_does_not_send_the_same_again_for_ever(web: ImageWorld, inbox: Inbox) -> None:
    web.build()
    inbox.refusal = ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "Publish")
    inbox.run()
    assert (inbox.ended.error, inbox.ended.line["Problems"]) == ("", 1)
    inbox.refusal = None
    assert inbox.run() == []


def test_revoked_build_is_announced_and_so_is_where_latest_goes(web: ImageWorld, inbox: Inbox) -> None:
    old, new = web.build(), web.build()
    inbox.run()
    web.other_imagebuilder.tag_resource(
        resourceArn=new, tags={"goldsmith:revoked": "2026-01-01T00:00:00Z the login page is broken"}
    )
    assert inbox.run() == [
        f"the build {_build(web, new)[10:]} is revoked: the login page is broken.",
        f"latest points to {_build(web, old)} in eu-west-1 and us-east-1, moved back: the build is revoked: "
        "the login page is broken.",
    ]
    assert inbox.run() == []


@pytest.mark.parametrize(("channel", "named"), [("_hold", "every channel"), ("_hold-latest", "latest")])
def test_hold_and_its_end(web: ImageWorld, inbox: Inbox, channel: str, named: str) -> None:
    inbox.run()
    user = "arn:aws:sts::000000000000:assumed-role/ops/alice"
    hold = Hold(held=True, by=user, why="year end", until="2099-01-05T00:00:00+00:00")
    _write(web, channel, hold)
    web.build()
    assert inbox.run() == [f"{named} is held by alice until 5 Jan 00:00 UTC: year end."]
    assert inbox.ended.line["held"] == {"latest": f"year end, by {user}, until 2099-01-05T00:00:00+00:00"}
    assert inbox.run() == []
    _write(web, channel, replace(hold, held=False))
    first, second = inbox.run()
    assert first == f"{named} is not held any more."
    assert second.startswith("latest points to ")


def test_without_the_cache_nothing_old_is_sent(web: ImageWorld, inbox: Inbox) -> None:
    web.build()
    inbox.run()
    web.other_history.write_cache("{}")
    assert inbox.run() == []
    web.build()
    assert len(inbox.run()) == 1


def test_move_by_hand_is_announced(web: ImageWorld, inbox: Inbox) -> None:
    web.build()
    inbox.run()
    _put(web, "prod", "ami-0a")
    (sent,) = inbox.run()
    assert sent.startswith("prod points to ami-0a in us-east-1, by hand")


def test_topics_get_texts_and_what_chat_applications_show() -> None:
    published: list[dict[str, str]] = []

    class Sns:
        publish: Callable[..., None] = staticmethod(lambda **message: published.append(message))

    Topics(Sns(), "arn:emails", ("arn:chat",))(subject="s" * 200, text="a sentence")
    email, chat = published
    assert email == {"TopicArn": "arn:emails", "Subject": "s" * SUBJECT_LIMIT, "Message": "a sentence"}
    assert json.loads(chat["Message"])["content"]["description"] == "a sentence"


def test_a_topic_that_refuses_keeps_nothing_from_the_others() -> None:
    published: list[str] = []

    class Sns:
        @staticmethod
        def publish(**message: str) -> None:
            published.append(message["TopicArn"])
            if message["TopicArn"] == "arn:gone":
                raise refusal("NotFound", "Publish", status=404)
            if message["TopicArn"] == "arn:busy":
                raise refusal("Throttled", "Publish", status=429)

    with pytest.raises(ClientError, match="NotFound"):
        Topics(Sns(), "arn:gone", ("arn:chat",))(subject="s", text="t")
    with pytest.raises(ClientError, match="Throttled"):
        Topics(Sns(), "arn:gone", ("arn:busy", "arn:chat"))(subject="s", text="t")
    assert published == ["arn:gone", "arn:chat", "arn:gone", "arn:busy"], "the retry sends to all again"


def _put(web: ImageWorld, channel: str, value: str) -> None:
    web.other_ssm[HOME].put_parameter(Name=f"{web.path}/{channel}", Value=value, Type="String", Overwrite=True)


def _write(web: ImageWorld, name: str, hold: Hold) -> None:
    web.other_ssm[HOME].put_parameter(Name=f"{web.path}/{name}", Value=hold.to_json(), Type="String", Overwrite=True)
