"""Lets functions take turns: each runs in a thread of its own, one at a time, and is stopped at each `pause`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


class _Actor:
    def __init__(self, act: Callable[[], None], back: threading.Semaphore) -> None:
        self._act, self._back = act, back
        self.turn = threading.Semaphore(0)
        self.is_done = False
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.turn.acquire()
        try:
            self._act()
        except BaseException as error:  # the main thread raises it
            self.error = error
        self.is_done = True
        self._back.release()


class Turns:
    """Functions that take turns."""

    def __init__(self) -> None:
        self._back = threading.Semaphore(0)
        self._actors: list[_Actor] = []

    def take(self, acts: Sequence[Callable[[], None]], *, choose: Callable[[int], int]) -> None:
        """Run all of them to their ends. `choose` says which of so many goes on next, by its place."""
        self._actors = [_Actor(act, self._back) for act in acts]
        for actor in self._actors:
            actor.thread.start()
        while waiting := [actor for actor in self._actors if not actor.is_done]:
            waiting[choose(len(waiting))].turn.release()
            self._back.acquire()
        finished, self._actors = self._actors, []
        for actor in finished:
            actor.thread.join()
            if actor.error:
                raise actor.error

    def pause(self) -> None:
        """Stop the function that calls this until it is its turn again. Does nothing outside of `take`."""
        me = next((actor for actor in self._actors if actor.thread is threading.current_thread()), None)
        if me:
            self._back.release()
            me.turn.acquire()
