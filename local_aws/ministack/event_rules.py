"""EventBridge's rules at work, when somebody asks: many tests count the runs of functions.

ministack keeps rules and calls their targets. Its own scheduler, with real minutes and always on, does not start here.
"""

import contextvars
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any


class EventRules:
    """Sends events to rules, and calls the targets of those with a schedule, in every account and region."""

    def __init__(self) -> None:
        # not earlier: ministack reads the environment while it is imported
        from ministack.core import responses  # type: ignore[import-untyped]
        from ministack.services import eventbridge  # type: ignore[import-untyped]

        self._eventbridge, self._responses = eventbridge, responses
        eventbridge.start_scheduler = lambda: None
        self._schedule: threading.Thread | None = None
        self._ended = threading.Event()

    @property
    def are_on(self) -> bool:
        """Whether events reach rules."""
        return self._schedule is not None

    def work(self, *, every_seconds: float) -> None:
        """Send events to rules, and call the targets of all rules with a schedule so often; 0 ends both.

        It waits for targets that are being called, but not for the functions that run then.
        """
        if self._schedule:
            self._ended.set()
            self._schedule.join()
            self._schedule = None
        if every_seconds > 0:
            self._ended = threading.Event()
            self._schedule = threading.Thread(target=self._call_scheduled, args=(every_seconds,), daemon=True)
            self._schedule.start()

    def send(
        self,
        detail_type: str,
        detail: Mapping[str, Any],
        *,
        source: str,
        resources: Sequence[str],
        account: str,
        region: str,
    ) -> None:
        """Send an event of an AWS service to the default bus of an account and region."""
        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": [*resources]}

        def put() -> None:
            self._responses.set_request_account_id(account)
            self._responses.set_request_region(region)
            self._eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)

        # ministack's account and region are those of the context
        contextvars.copy_context().run(put)

    def _call_scheduled(self, every_seconds: float) -> None:
        ended = self._ended
        while not ended.wait(every_seconds):
            for key, rule in list(self._eventbridge._rules._data.items()):
                if rule.get("ScheduleExpression"):
                    # so long ago that it is due, whatever the schedule says
                    self._eventbridge._rule_last_fired[key] = 0
            self._eventbridge._tick_scheduled_rules()
