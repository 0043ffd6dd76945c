"""Rules of how an image is built: its workflows, scans, and what build instances reach."""

import re
from collections.abc import Iterator

from estate import names
from estate.checks.parts import Parts
from estate.limits import WORKFLOW_VALUE
from estate.models.ami_image import AmiImage
from estate.models.images import Image
from estate.models.workflows import MOST_WORKFLOWS, WorkflowUse
from estate.problems import Key, Problem, did_you_mean, shown
from estate.workflow_documents.actions import STEP_ACTIONS, Stage
from estate.workflow_documents.document import WorkflowDocument

AMI_OUTPUT = "ImageId"
"""The output of a build workflow from which Image Builder takes the AMI, as its own workflow has it."""

TARGETS = {
    ("WaitForAction", "snsTopicArn"): (r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+", "a topic's ARN"),
    ("WaitForAction", "lambdaFunctionName"): (
        r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?|[A-Za-z0-9_-]{1,64}",
        "a function's name or ARN",
    ),
    ("ExecuteStateMachine", "stateMachineArn"): (
        r"arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[A-Za-z0-9_-]+",
        "a state machine's ARN",
    ),
    ("RunCommand", "documentName"): (
        r"(arn:aws[a-z-]*:ssm:[a-z0-9-]+:([0-9]{12})?:document/)?[A-Za-z0-9_./-]{3,128}",
        "a command document's name or ARN",
    ),
}
"""What the execution role is allowed by name."""

_Placed = tuple[Stage, Key, WorkflowUse]


def check_build(image: Image, parts: Parts) -> Iterator[Problem]:
    """Workflows of an image that do not fit together, or not with its other fields."""
    key: Key = ("images", image.name)
    if parts.sound(key, "infrastructure"):
        yield from _hops(image, key)
    if parts.sound(key, "image_scanning", "image_tests"):
        yield from _scanning(image, key, parts)
    if not parts.sound(key, "workflows"):
        return
    placed: list[_Placed] = [(stage, (*key, "workflows", *place), use) for stage, place, use in image.workflows.placed]
    if image.workflows.test and parts.sound(key, "image_tests") and not image.image_tests.image_tests_enabled:
        rule = "would not run: image_tests_enabled is false"
        yield Problem((*key, "workflows", "test"), rule, remedy="delete one of them")
    # Image Builder's own builds where none of the image's does
    others = 1 + bool(image.workflows.distribution)
    if others + len(image.workflows.test) > MOST_WORKFLOWS:
        rule = f"a pipeline has at most {MOST_WORKFLOWS} workflows, and {others} of this one are no tests"
        yield Problem((*key, "workflows", "test"), rule, str(len(image.workflows.test)), "merge some")
    yield from _names(placed)
    yield from _elsewhere(placed, image, parts)
    own = [
        (stage, place, use, document)
        for stage, place, use in placed
        if (document := parts.files.workflow_documents.get((use.use, stage))) and use.is_own
    ]
    for stage, place, use, document in own:
        yield from _values(use, document, place)
        yield from _needs_own_role(image, document, place)
        for (action, name), (pattern, words) in TARGETS.items():
            for value in document.values_of(action, name, use.with_):
                if value is not None and not re.fullmatch(pattern, value):
                    yield Problem(place, f"{name} of {action} must be {words}", shown(value))
        if stage == "build" and isinstance(image, AmiImage) and AMI_OUTPUT not in document.outputs:
            rule = f"Image Builder takes the AMI from the output {AMI_OUTPUT}, which {use.use} lacks"
            remedy = f"write outputs: [{{name: {AMI_OUTPUT}, value: $.stepOutputs.….imageId}}]"
            yield Problem(place, rule, remedy=remedy)
    if len(own) == len([use for _, _, use in placed if use.is_own]):
        yield from _components_run(image, placed, parts)
        yield from _workflow_outputs(placed, parts)


def check_workflow_arns(parts: Parts) -> Iterator[Problem]:
    """Workflow `x` of image `web-app` and workflow `app-x` of image `web` would be one to Image Builder."""
    owners: dict[tuple[Stage, str], str] = {}
    for image in parts.images.values():
        if parts.sound(("images", image.name), "workflows"):
            for stage, place, use in image.workflows.placed:
                if use.is_own:
                    name = names.in_arn(names.workflow("", image.name, use.short_name))
                    owner = owners.setdefault((stage, name), image.name)
                    if owner != image.name:
                        rule = f"Image Builder cannot tell this workflow from one of image {owner}"
                        key: Key = ("images", image.name, "workflows", *place)
                        yield Problem(key, rule, shown(use.use), "rename the image or the workflow's file")


def _hops(image: Image, key: Key) -> Iterator[Problem]:
    """The container that is built asks for metadata from inside the instance (botocore, InstanceMetadataOptions)."""
    options = image.infrastructure.instance_metadata_options
    if (
        not isinstance(image, AmiImage)
        and options.http_tokens == "required"
        and options.http_put_response_hop_limit == 1
    ):
        place: Key = (*key, "infrastructure", "instance_metadata_options", "http_put_response_hop_limit")
        yield Problem(place, "must be at least 2 to build a container image", "1", "delete it")


def _scanning(image: Image, key: Key, parts: Parts) -> Iterator[Problem]:
    if not image.image_scanning.image_scanning_enabled:
        return
    if isinstance(image, AmiImage) and image.image_scanning.ecr_configuration:
        where: Key = (*key, "image_scanning", "ecr_configuration")
        yield Problem(where, "is for container images, and this image is an AMI", remedy="delete it")
    place: Key = (*key, "image_scanning", "image_scanning_enabled")
    if not image.image_tests.image_tests_enabled:
        remedy = "delete it, or image_tests_enabled: false"
        yield Problem(place, "Inspector scans the instance that tests the image, and there is none", remedy=remedy)
        return
    if parts.sound(key, "os") and image.platform == "macOS":
        yield Problem(place, "Image Builder collects no findings of macOS", remedy="delete it")
    if not parts.sound(key, "workflows") or not image.workflows.test or not isinstance(image, AmiImage):
        return
    for use in image.workflows.test:
        document = parts.files.workflow_documents.get((use.use, "test"))
        if document.does("CollectImageScanFindings") if document else "express-" not in use.use:
            return
    rule = "none of the test workflows collects what Inspector finds"
    remedy = "add a step CollectImageScanFindings to one, or Image Builder's own workflow test-image"
    yield Problem(place, rule, remedy=remedy)


def _names(placed: list[_Placed]) -> Iterator[Problem]:
    """Each name is one document of one stage."""
    sources: dict[str, tuple[Stage, str]] = {}
    for stage, place, use in placed:
        name = use.short_name
        if not use.is_own:
            continue
        if sources.setdefault(name, (stage, use.use)) != (stage, use.use):
            rule = f"workflow {name} stands for two documents, or for two stages"
            yield Problem(place, rule, shown(use.use), "give each a file with a name of its own")
        if not re.fullmatch(rf"(?=.{{1,{names.LONGEST_WORKFLOW}}}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
            rule = "the file of a workflow is named in lower-case letters, digits and hyphens"
            yield Problem(place, f"{rule}, at most {names.LONGEST_WORKFLOW} of them", shown(use.use))


def _elsewhere(placed: list[_Placed], image: Image, parts: Parts) -> Iterator[Problem]:
    if parts.sound(("images", image.name), "regions"):
        for _, place, use in placed:
            if not use.is_own and use.use.split(":")[3] != image.home:
                yield Problem(place, f"must be in {image.home}, the image's home", shown(use.use))


def _values(use: WorkflowUse, document: WorkflowDocument, place: Key) -> Iterator[Problem]:
    for name, value in use.with_.items():
        key: Key = (*place, "with", name)
        parameter = document.parameters.get(name)
        if parameter is None:
            remedy = did_you_mean(name, document.parameters) if document.parameters else "delete it: there are none"
            yield Problem(key, f"{use.use} has no such parameter", shown(name), remedy)
        elif not parameter.takes(value):
            yield Problem(key, f"must be {parameter.kind}", shown(value))
        elif not WORKFLOW_VALUE.fits(value):
            rule, got = f"a value {WORKFLOW_VALUE.rule}", str(WORKFLOW_VALUE.size_of(value))
            yield Problem(key, rule, got, WORKFLOW_VALUE.remedy)
    for name, parameter in document.parameters.items():
        if parameter.default is None and name not in use.with_:
            remedy = f"write {{use: {use.use}, with: {{{name}: …}}}}"
            yield Problem(place, f"{use.use} needs a value for {name}", remedy=remedy)


def _needs_own_role(image: Image, document: WorkflowDocument, place: Key) -> Iterator[Problem]:
    for step in document.steps:
        if STEP_ACTIONS[step.action].needs_own_role and not image.workflows.execution_role:
            rule = f"AWS does not say what {step.action} must be allowed"
            yield Problem(place, rule, remedy="write workflows.execution_role: arn:aws:iam::…:role/…")


def _components_run(image: Image, placed: list[_Placed], parts: Parts) -> Iterator[Problem]:
    """Components that no step would run, and nobody would know."""
    stages: tuple[tuple[Stage, bool], ...] = (("build", bool(image.build)), ("test", bool(image.test)))
    for stage, wanted in stages:
        documents = [parts.files.workflow_documents.get((use.use, stage)) for each, _, use in placed if each == stage]
        if wanted and documents and not any(each is None or each.does("ExecuteComponents") for each in documents):
            rule = f"no step runs the image's {stage} components"
            yield Problem(
                ("images", image.name, "workflows", stage),
                rule,
                remedy=f"add a step ExecuteComponents, or delete images.{image.name}.{stage}",
            )


def _workflow_outputs(placed: list[_Placed], parts: Parts) -> Iterator[Problem]:
    """References to outputs that no earlier workflow has; Image Builder's own hands on the AMI."""
    has_build = any(stage == "build" for stage, _, _ in placed)
    known = set() if has_build else {AMI_OUTPUT}
    for stage, place, use in placed:
        document = parts.files.workflow_documents.get((use.use, stage))
        for name in document.workflow_outputs if document else ():
            if name not in known:
                remedy = did_you_mean(name, known) or "declare it under outputs: of the build workflow"
                yield Problem(place, "no workflow before it has this output", shown(name), remedy)
        known |= set(document.outputs) if document else {AMI_OUTPUT}
