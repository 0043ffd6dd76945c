"""The page of the shipped components, `docs/components.md`: from their documents."""

from collections.abc import Iterator, Mapping

from estate.catalogue.operating_systems import Platform
from estate.component_documents.document import Document, parse
from estate.component_documents.parameters import Parameter
from estate.files import SHIPPED_COMPONENTS, platforms_of
from estate.limits import DOCUMENT, INLINE

_INTRODUCTION = """\
# Components

Generated from the documents in `components/` by `python -m pages`; do not edit.

An image lists components under `build` and `test`, 20 at most. They run in the order of the lists. A name is a
component that Goldsmith ships, described here; a path is [a document of your own](#a-document-of-your-own); an ARN is
[a component of AWS](#components-of-aws-and-of-others).

Image Builder runs the phases `build` and `validate` of every component on the instance that becomes the image, and the
phase `test` of every component, also of those under `build`, on an instance of the finished image. A component that has
only a `test` phase belongs under `test`, and one without a `test` phase under `build`; otherwise it is refused. A
document may have other phases, as AWS allows, but Image Builder does not run them.

An image can have each component only once. For a second script, port or command, copy the document from `components/`
into your configuration's folder under another name, and use the copy as a document of your own.

Give values to parameters with `with:`. Names, kinds and required parameters are checked before anything is written. A
component that does not support the image's platform is refused.
"""

_OWN = f"""\
## A document of your own

A path in `build` or `test`, from the configuration's folder, names a document for AWS's Task Orchestrator and Executor
([AWS's guide](https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html)):

```yaml
name: greeting
description: Writes the text that people see when they log in
schemaVersion: 1.0
parameters:
  - greeting:
      type: string
      description: The text.
  - width:
      type: string
      default: '72'
      description: Whole number. The longest line; 72 by default.
phases:
  - name: build
    steps:
      - name: Write
        action: ExecuteBash
        inputs:
          commands:
            - |
              set -euo pipefail
              fold --spaces --width='{{{{ width }}}}' <<< '{{{{ greeting }}}}' > /etc/motd
  - name: test
    steps:
      - name: Look
        action: ExecuteBash
        inputs:
          commands:
            - test -s /etc/motd
```

Images of several platforms may use the same document; it is checked for each platform.

**Kinds of parameters.** For AWS every value is text. If the description of a parameter begins with `Whole number.`,
`true or false.` or `One of a, b, c.`, Goldsmith takes only these values, as default and in `with:`. A parameter without
a default is required.

**How values are used.** The executor puts a value unchanged into the script where `{{{{ name }}}}` is. So write
`{{{{ name }}}}` between single quotes, as above; a value that contains a single quote is then refused. For longer text
use a quoted here-document or here-string, as in `run-script`; in a here-string of PowerShell, a value with a line that
begins with `'@`, which would end the string, is refused. Braces in values are not replaced.
Put braces that are not for the executor, such as those of `docker ps --format '{{{{ .ID }}}}'`, into a constant.

**What is checked.** All problems are reported together, with file, line, step and rule:

- schema version, unknown keys, names of phases, steps, parameters and constants, and that each name is used once;
- actions: whether they exist for the document's platform, and have the inputs that they require and no others;
- `timeoutSeconds`, `maxAttempts`, `onFailure`, `if` and `loop`;
- references to parameters and constants that are not declared; to steps, inputs and outputs that do not exist, come
  later, run on another instance, or are in a phase that Image Builder does not run; to the loop of another step;
- scripts that restart the instance at their end. To restart, use a step with `action: Reboot`, or `exit 194` (on
  Windows 3010): then the executor knows about the restart, and the build continues after it;
- size: at most {DOCUMENT.most} bytes.

A document of more than {INLINE.most} bytes is too long for a request to Image Builder; the stack puts it into the
image's bucket.

**Objects in S3.** If a value of `with:` is the address of an object, `s3://bucket/key`, the build may read that object.
A bucket in another account must let the build's role read it; so must the bucket's KMS key, if it has one.

## Components of AWS, and of others

An ARN, with a version or wildcards, names a component that belongs to AWS, to another team or, for AMIs only, to a
vendor of AWS Marketplace:

```yaml
build:
  - update-os
  - arn:aws:imagebuilder:eu-west-1:aws:component/amazon-corretto-21-headless/x.x.x
```

Give values to its parameters with `with:`, too; AWS checks them. With `schedule: {{when: dependency-updates}}` the
image is built when there is a new version that matches the wildcards.
"""

_EXAMPLES: Mapping[str, str] = {
    "boots": "test: [{use: boots, with: {ignore_units: kdump.service}}]",
    "clean-up": "build: [update-os, clean-up]",
    "cloudwatch-agent": "build: [{use: cloudwatch-agent, with: {configuration: ssm:AmazonCloudWatch-web}}]",
    "command-succeeds": "test: [{use: command-succeeds, with: {command: nginx -t, output: test is successful}}]",
    "deploy-app": """\
build:
  - use: deploy-app
    with:
      archive: s3://acme-releases/web-1.4.tar.gz
      sha256: 3b9c358f36f0a31b6ad3e14f309c7cf198ac9246e8316f9ce543d5b19ac02b80
      folder: /opt/web""",
    "http-responds": "test: [{use: http-responds, with: {port: 8080, path: /health, body: ok}}]",
    "install-packages": "build: [{use: install-packages, with: {packages: nginx git}}]",
    "patch-installed": "test: [{use: patch-installed, with: {packages: openssl>=3.0.7 bash}}]",
    "port-listens": "test: [{use: port-listens, with: {port: 443}}]",
    "run-script": """\
build:
  - use: run-script
    with:
      script: |
        useradd --system --home-dir /opt/web web
        install --directory --owner=web /opt/web
      check: id web""",
    "security-baseline": "build: [{use: security-baseline, with: {idle_seconds: 600}}]",
    "ssm-agent": 'build: [{use: ssm-agent, with: {minimum_version: "3.3"}}]',
    "time-and-locale": "build: [{use: time-and-locale, with: {time_zone: Asia/Tokyo, locale: ja_JP.UTF-8}}]",
    "update-os": "build: [update-os]",
}


def components_page() -> str:
    """`docs/components.md`."""
    names = sorted({file.parent.name for file in SHIPPED_COMPONENTS.glob("*/*.yaml")})
    components = {name: _documents(name) for name in names}
    return "\n".join([_INTRODUCTION, *_overview(components), *_each(components), _OWN])


def _documents(name: str) -> dict[Platform, Document]:
    found = {}
    for platform in platforms_of(name):
        file = SHIPPED_COMPONENTS / name / f"{platform.lower()}.yaml"
        found[platform] = parse(file.read_text(encoding="utf-8"), source=str(file), platform=platform)
    return found


def _overview(components: Mapping[str, Mapping[Platform, Document]]) -> Iterator[str]:
    yield "| Component | For | Phases |\n| --- | --- | --- |"
    for name, documents in components.items():
        yield f"| [`{name}`](#{name}) | {', '.join(documents)} | {_phases(documents)} |"
    yield ""


def _phases(documents: Mapping[Platform, Document]) -> str:
    phases = dict.fromkeys(phase for document in documents.values() for phase in document.phases)
    return ", ".join(
        f"`{phase}`" + ("" if len(having) == len(documents) else f" ({', '.join(having)})")
        for phase in phases
        if (having := [platform for platform, document in documents.items() if phase in document.phases])
    )


def _each(components: Mapping[str, Mapping[Platform, Document]]) -> Iterator[str]:
    for name, documents in components.items():
        yield f"## `{name}`\n"
        descriptions = _by_platform({platform: document.description for platform, document in documents.items()})
        if len(descriptions) == 1:
            yield f"{next(iter(descriptions))}\n"
        else:
            yield "".join(f"- **{' and '.join(platforms)}**: {text}\n" for text, platforms in descriptions.items())
        yield from _parameters(documents)
        yield f"```yaml\n{_EXAMPLES.get(name, f'build: [{name}]')}\n```\n"


def _by_platform(values: Mapping[Platform, str]) -> dict[str, list[Platform]]:
    """The platforms of each value."""
    found: dict[str, list[Platform]] = {}
    for platform, value in values.items():
        found.setdefault(value, []).append(platform)
    return found


def _parameters(documents: Mapping[Platform, Document]) -> Iterator[str]:
    names = dict.fromkeys(name for document in documents.values() for name in document.parameters)
    if names:
        yield "| Parameter | For | Value | Default | Meaning |\n| --- | --- | --- | --- | --- |"
    for name in names:
        having = {platform: _cells(each) for platform, doc in documents.items() if (each := doc.parameters.get(name))}
        for cells, platforms in _by_platform(having).items():
            yield f"| `{name}` | {'all' if len(platforms) == len(documents) else ', '.join(platforms)} | {cells} |"
    if names:
        yield ""


def _cells(parameter: Parameter) -> str:
    kind = f"`{'`, `'.join(parameter.choices)}`" if parameter.choices else parameter.kind.removeprefix("a ")
    default = "required" if parameter.default is None else f"`{parameter.default}`" if parameter.default else "empty"
    return " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in (kind, default, parameter.meaning))
