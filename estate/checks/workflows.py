"""Rules of the workflows that build, test and distribute an image."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from estate import names
from estate.checks import parameter_values
from estate.checks.context import Context
from estate.limits import WORKFLOW_VALUE
from estate.models.ami_image import AmiImage
from estate.models.images import Image
from estate.models.workflows import MOST_WORKFLOWS, WorkflowUse
from estate.names import ImageNames
from estate.problems import Key, Problem, did_you_mean, shown
from estate.workflow_documents.actions import STEP_ACTIONS, Stage
from estate.workflow_documents.document import WorkflowDocument

AMI_OUTPUT = "ImageId"
"""The output of a build workflow from which Image Builder takes the AMI, as its own workflow has it."""

_TARGETS = {
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
"""What the execution role is allowed by name: action and input, pattern of the input, the pattern in words."""

ROOM_FOR_TARGETS = 4000
"""Characters in the policy of the execution role for what workflows call by name. IAM takes 10,240 of all inline
policies of a role, and one statement has to fit."""
_LONGEST_START = 60
"""Characters before the name in an ARN."""


@dataclass(frozen=True)
class _Workflow:
    """A workflow of an image, and where it stands in it."""

    stage: Stage
    key: Key
    use: WorkflowUse
    document: WorkflowDocument | None
    """None of a workflow of AWS, and of a document that could not be read."""


def tests(image: Image, context: Context) -> Iterator[Problem]:
    """Image tests are enabled if the image has test workflows."""
    if image.workflows.test and not image.image_tests.image_tests_enabled:
        rule = "would not run: image_tests_enabled is false"
        yield Problem(("workflows", "test"), rule, remedy="delete one of them")


def number(image: Image, context: Context) -> Iterator[Problem]:
    """A pipeline has at most ten workflows, including those of Image Builder."""
    others = 1 + bool(image.workflows.distribution)
    if others + len(image.workflows.test) > MOST_WORKFLOWS:
        rule = f"a pipeline has at most {MOST_WORKFLOWS} workflows, and {others} of this one are not tests"
        yield Problem(("workflows", "test"), rule, str(len(image.workflows.test)), "merge some")


def one_document_a_name(image: Image, context: Context) -> Iterator[Problem]:
    """The documents of an image's workflows have different file names, and each is for one stage."""
    sources: dict[str, tuple[Stage, str]] = {}
    for each in _own(image, context):
        source = (each.stage, each.use.use)
        if sources.setdefault(each.use.short_name, source) != source:
            rule = f"workflow {each.use.short_name} would have two documents, or two stages"
            yield Problem(each.key, rule, shown(each.use.use), "give each a file with its own name")


def file_names(image: Image, context: Context) -> Iterator[Problem]:
    """The file name of a workflow has at most 90 lower-case letters, digits and hyphens."""
    for each in _own(image, context):
        name = each.use.short_name
        if not re.fullmatch(rf"(?=.{{1,{names.LONGEST_WORKFLOW}}}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
            rule = "the name of a workflow's file must be lower-case letters, digits and hyphens"
            yield Problem(each.key, f"{rule}, at most {names.LONGEST_WORKFLOW} of them", shown(each.use.use))


def values(image: Image, context: Context) -> Iterator[Problem]:
    """Values are only for parameters that a workflow has, fit their kind, and are given for all that have no
    default."""
    for each, document in _read(image, context):
        yield from parameter_values.problems_of(each.use, document.parameters, each.key)


def lengths_of_values(image: Image, context: Context) -> Iterator[Problem]:
    """A value for a parameter of a workflow has at most 1,024 characters."""
    for each, document in _read(image, context):
        for name, value, _ in parameter_values.taken(each.use, document.parameters):
            if not WORKFLOW_VALUE.fits(value):
                rule, got = f"a value {WORKFLOW_VALUE.rule}", str(WORKFLOW_VALUE.size_of(value))
                yield Problem((*each.key, "with", name), rule, got, WORKFLOW_VALUE.remedy)


def targets(image: Image, context: Context) -> Iterator[Problem]:
    """The topics, functions, state machines and command documents that a workflow calls have valid names or ARNs."""
    for each, document in _read(image, context):
        for (action, name), (pattern, words) in _TARGETS.items():
            for value in document.values_of(action, name, each.use.with_):
                if value is not None and not re.fullmatch(pattern, value):
                    yield Problem(each.key, f"{name} of {action} must be {words}", shown(value))


def room_for_targets(image: Image, context: Context) -> Iterator[Problem]:
    """What the workflows of an image call by name fits into one IAM policy, 4,000 characters, unless you name an
    execution role."""
    if image.workflows.execution_role:
        return
    arns: set[str] = set()
    for each, document in _read(image, context):
        for action, name in _TARGETS:
            for value in filter(None, document.values_of(action, name, each.use.with_)):
                arn = value if value.startswith("arn:") else f"arn:{'x' * _LONGEST_START}:{value}"
                # a state machine and its executions
                arns |= {arn, f"{arn}:execution"} if action == "ExecuteStateMachine" else {arn}
        if (room := sum(map(len, arns))) > ROOM_FOR_TARGETS:
            rule = f"the execution role has room for {ROOM_FOR_TARGETS} characters of ARNs that workflows call"
            remedy = "write workflows.execution_role: arn:aws:iam::…:role/…"
            yield Problem(each.key, rule, str(room), remedy)
            return


def execution_role(image: Image, context: Context) -> Iterator[Problem]:
    """Steps whose permissions AWS does not document need an execution role of your own."""
    for each, document in _read(image, context):
        for step in document.steps:
            if STEP_ACTIONS[step.action].needs_own_role and not image.workflows.execution_role:
                rule = f"AWS does not document the permissions that {step.action} needs"
                yield Problem(each.key, rule, remedy="write workflows.execution_role: arn:aws:iam::…:role/…")


def ami_output(image: AmiImage, context: Context) -> Iterator[Problem]:
    """A build workflow of an AMI has the output `ImageId`."""
    for each, document in _read(image, context):
        if each.stage == "build" and AMI_OUTPUT not in document.outputs:
            rule = f"Image Builder reads the AMI from the output {AMI_OUTPUT}, which {each.use.use} does not have"
            remedy = f"write outputs: [{{name: {AMI_OUTPUT}, value: $.stepOutputs.….imageId}}]"
            yield Problem(each.key, rule, remedy=remedy)


def components_run(image: Image, context: Context) -> Iterator[Problem]:
    """If an image has components and workflows for a stage, one of the workflows runs the components."""
    stages: tuple[tuple[Stage, bool], ...] = (("build", bool(image.build)), ("test", bool(image.test)))
    workflows = _workflows(image, context)
    for stage, has_components in stages if _are_all_read(workflows) else ():
        documents = [each.document for each in workflows if each.stage == stage]
        if (
            has_components
            and documents
            and not any(each is None or each.does("ExecuteComponents") for each in documents)
        ):
            rule = f"no step runs the image's {stage} components"
            remedy = f"add a step ExecuteComponents, or delete images.{image.name}.{stage}"
            yield Problem(("workflows", stage), rule, remedy=remedy)


def outputs(image: Image, context: Context) -> Iterator[Problem]:
    """A workflow uses only outputs of workflows that run before it; those of Image Builder have `ImageId`."""
    workflows = _workflows(image, context)
    known = set() if image.workflows.build else {AMI_OUTPUT}
    for each in workflows if _are_all_read(workflows) else ():
        for name in each.document.workflow_outputs if each.document else ():
            if name not in known:
                remedy = did_you_mean(name, known) or "declare it under outputs: of the build workflow"
                yield Problem(each.key, "no workflow before it has this output", shown(name), remedy)
        known |= set(each.document.outputs) if each.document else {AMI_OUTPUT}


def findings(image: AmiImage, context: Context) -> Iterator[Problem]:
    """If an AMI with test workflows is scanned, one of them collects the findings, as Image Builder's `test-image`
    does."""
    scanned = image.image_scanning.image_scanning_enabled and image.image_tests.image_tests_enabled
    tests = [each for each in _workflows(image, context) if each.stage == "test"]
    if not scanned or not tests:
        return
    for each in tests:
        # one that could not be read may, and of Image Builder's own only the express ones do not
        if each.document.does("CollectImageScanFindings") if each.document else "express-" not in each.use.use:
            return
    rule = "none of the test workflows collects Inspector's findings"
    remedy = "add a step CollectImageScanFindings to one, or Image Builder's own workflow test-image"
    yield Problem(("image_scanning", "image_scanning_enabled"), rule, remedy=remedy)


def names_in_arns(context: Context) -> Iterator[Problem]:
    """No two workflows of the estate have one name in ARNs.

    Workflow `x` of image `web-app` and workflow `app-x` of image `web` would.
    """
    owners: dict[tuple[Stage, str], str] = {}
    for image in context.images.values():
        for each in _own(image, context):
            name = names.in_arn(ImageNames("", image.name).workflow(each.use.short_name))
            owner = owners.setdefault((each.stage, name), image.name)
            if owner != image.name:
                rule = f"a workflow of image {owner} has the same name for Image Builder"
                remedy = "rename the image or the workflow's file"
                yield Problem(("images", image.name, *each.key), rule, shown(each.use.use), remedy)


def _workflows(image: Image, context: Context) -> list[_Workflow]:
    """In the order in which they run."""
    documents = context.files.workflow_documents
    return [
        _Workflow(stage, ("workflows", *key), use, documents.get((use.use, stage)) if use.is_own else None)
        for stage, key, use in image.workflows.placed
    ]


def _own(image: Image, context: Context) -> list[_Workflow]:
    return [each for each in _workflows(image, context) if each.use.is_own]


def _read(image: Image, context: Context) -> Iterator[tuple[_Workflow, WorkflowDocument]]:
    """Those whose documents could be read."""
    return ((each, each.document) for each in _workflows(image, context) if each.document)


def _are_all_read(workflows: list[_Workflow]) -> bool:
    """Whether no document is missing or broken."""
    return all(each.document or not each.use.is_own for each in workflows)
