"""The ASGI app that a client sees: Image Builder, and behind it ministack with what is put right around it.

The credential scope of a request's signature says which service it is for. Paths under `/_local_aws/`, which AWS does
not use, steer the server itself (`control.py`).
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from local_aws.asgi import App, Message, Receive, Scope, Send, region_and_service
from local_aws.auto_scaling.app import AutoScaling
from local_aws.calls import Calls
from local_aws.clients import Clients
from local_aws.control import Control
from local_aws.image_builder.app import ImageBuilderApp
from local_aws.image_builder.builds import Builds
from local_aws.image_builder.neighbours import Neighbours
from local_aws.image_builder.operations import ImageBuilder
from local_aws.ministack.alarms import WholeAlarms
from local_aws.ministack.amis import Amis
from local_aws.ministack.assumed_roles import AssumedRoles
from local_aws.ministack.callers import Callers
from local_aws.ministack.described_images import DescribedImages
from local_aws.ministack.ec2 import Ec2
from local_aws.ministack.event_rules import EventRules
from local_aws.ministack.iam import Iam
from local_aws.ministack.keys import Keys
from local_aws.ministack.launches import Launches
from local_aws.ministack.parameter_authors import ParameterAuthors
from local_aws.ministack.parameter_events import ParameterEvents
from local_aws.ministack.parameter_limits import ParameterLimits
from local_aws.ministack.public_parameters import PublicParameters
from local_aws.ministack.s3 import S3
from local_aws.organizations import Organizations


class Front:
    """The whole local AWS as one ASGI app. Call `prepare_environment` first.

    `on_ready` is called once, when requests are answered.
    """

    def __init__(self, *, port: int, state_seconds: float, on_ready: Callable[[], None]) -> None:
        # not earlier: ministack reads the environment while it is imported
        from ministack.app import app  # type: ignore[import-untyped]
        from ministack.core import lambda_runtime  # type: ignore[import-untyped]

        self._ministack: App = app
        self._stop_functions: Callable[[], None] = lambda_runtime.reset
        self._on_ready = on_ready
        clients = Clients(endpoint=f"http://127.0.0.1:{port}")
        amis = Amis()
        builds = Builds(state_seconds=state_seconds)
        organizations = Organizations()
        images = DescribedImages(amis=amis, organizations=organizations)
        callers = Callers(app=app, organizations=organizations)
        neighbours = partial(Neighbours, clients=clients, amis=amis, organizations=organizations)
        image_builder = ImageBuilder(neighbours=neighbours, builds=builds)
        keys = Keys(app=app, callers=callers)
        launches = Launches(images=images, amis=amis, keys=keys)
        auto_scaling = AutoScaling(app=app, callers=callers, launches=launches)
        s3 = S3(app=app)
        rules = EventRules()
        parameters = PublicParameters(app=ParameterLimits(app=ParameterAuthors(app=app, callers=callers)))
        self._auto_scaling = auto_scaling
        self._rules = rules
        self._calls = Calls(callers=callers)
        self._control = Control(
            calls=self._calls,
            builds=builds,
            image_builder=image_builder,
            amis=amis,
            auto_scaling=auto_scaling,
            organizations=organizations,
            s3=s3,
            rules=rules,
            clients=clients,
        )
        self._services: Mapping[str, App] = {
            "autoscaling": auto_scaling,
            "ec2": Ec2(
                app=app, callers=callers, amis=amis, images=images, instances=auto_scaling.instances, clients=clients
            ),
            "iam": Iam(app=app),
            "imagebuilder": ImageBuilderApp(image_builder, callers=callers),
            "kms": keys,
            "monitoring": WholeAlarms(app=app),
            "s3": s3,
            "ssm": ParameterEvents(app=parameters, callers=callers, rules=rules),
            "sts": AssumedRoles(app=app, callers=callers),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on to ministack."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._ministack(scope, receive, send)
            return
        await self._auto_scaling.catch_up()
        if scope["path"].startswith("/_local_aws/"):
            await self._control(scope, receive, send)
        else:
            _, service = region_and_service(scope)
            receive = await self._calls.note(scope, receive)
            await self._services.get(service, self._ministack)(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._on_ready()

        async def end_functions_first() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self._rules.work, every_seconds=0)
                # functions run in processes of their own, which ministack does not end
                await asyncio.to_thread(self._stop_functions)
            return message

        await self._ministack(scope, end_functions_first, announce)
