"""What steers the local AWS itself, on its one port under paths that AWS does not use.

    POST /_local_aws/next-build      {"fail": "BUILDING" | "TESTING", "reason": "…"}    the next build fails
    POST /_local_aws/state-seconds   {"seconds": 0.5}      how long builds stay in each state
    POST /_local_aws/ami-date        {"ami": "ami-…", "date": "…"}   an AMI was created at another time
    POST /_local_aws/ami-launched    {"ami": "ami-…", "date": "…"}   an instance of an AMI was launched
    POST /_local_aws/next-refresh    {"group": "…", "status": "Failed", "percentage": 50, "reason": "…"}   the next
                                     instance refresh of a group is Refused, or has this status
    GET  /_local_aws/messages        {"messages": ["…"]}   what Image Builder published, oldest first
    POST /_local_aws/lifecycle       {"policy": "arn:…", "at": "…"}  a lifecycle policy runs as if it were then
    POST /_local_aws/reset           {}                    Image Builder forgets everything

ministack forgets on `POST /_ministack/reset`. `server.LocalAws` has a method for each.
"""

import asyncio
import json
from datetime import datetime
from typing import Any

from local_aws.asgi import Receive, Scope, Send, read_body, respond
from local_aws.image_builder.builds import Builds, Failure, failure_reason
from local_aws.image_builder.operations import ImageBuilder
from local_aws.image_builder.service_model import AwsError
from local_aws.ministack.ami_states import AmiStates
from local_aws.ministack.amis import WholeAmis
from local_aws.ministack.auto_scaling import End, FollowingGroups


class Control:
    """An ASGI app for the paths under `/_local_aws/`."""

    def __init__(
        self,
        *,
        builds: Builds,
        image_builder: ImageBuilder,
        amis: WholeAmis,
        ami_states: AmiStates,
        groups: FollowingGroups,
    ) -> None:
        self._groups = groups
        self._amis = amis
        self._ami_states = ami_states
        self._builds = builds
        self._image_builder = image_builder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do what is asked; 400 with a message for what is not understood."""
        try:
            wish = json.loads(await read_body(receive) or b"{}")
            request = f"{scope['method']} {scope['path'].removeprefix('/_local_aws/')}"
            # in a thread, because lifecycle policies ask EC2, which is served by this very loop
            answer, status = await asyncio.to_thread(self._do, request, wish), 200
        except (ValueError, KeyError, TypeError, AttributeError, AwsError) as error:
            answer, status = {"message": f"not understood: {error!r}"}, 400
        await respond(send, status=status, headers={}, body=json.dumps(answer).encode())

    def _do(self, request: str, wish: dict[str, Any]) -> dict[str, Any]:
        match request:
            case "POST next-build":
                if wish["fail"] not in ("BUILDING", "TESTING"):
                    raise ValueError(f"a build fails at BUILDING or TESTING, got {wish['fail']!r}")
                reason = wish.get("reason") or failure_reason(wish["fail"])
                self._builds.next_failure = Failure(state=wish["fail"], reason=reason)
            case "POST state-seconds":
                self._builds.state_seconds = float(wish["seconds"])
            case "POST ami-date":
                self._amis.date(wish["ami"], wish["date"])
            case "POST ami-launched":
                self._ami_states.launch(wish["ami"], wish["date"])
            case "POST next-refresh":
                end = End(wish["status"], percentage=int(wish["percentage"]), reason=str(wish["reason"]))
                self._groups.end_next_refresh(wish["group"], end)
            case "POST lifecycle":
                at = datetime.fromisoformat(wish["at"])
                return {"execution": self._image_builder.run_lifecycle_policy(wish["policy"], at=at)}
            case "POST reset":
                self._image_builder.reset()
            case "GET messages":
                return {"messages": self._builds.messages}
            case _:
                raise ValueError(request)
        return {}
