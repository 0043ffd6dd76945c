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

An image lists components under `build` and `test`. A name is one that Goldsmith ships, described here; a path is
[a document of your own](#a-document-of-your-own); an ARN is [a component of AWS](#components-of-aws-and-of-others).
They run in the order that is written, 20 at most.

Image Builder runs the phases `build` and `validate` of every component on the instance that becomes the image, and the
phase `test` of every component, those under `build` too, on an instance of the finished image. A component that has
only a `test` phase belongs under `test`, one that has none under `build`; otherwise it is refused. Further phases are
taken, as AWS takes them; Image Builder does not run them.

Image Builder takes each component of an image once. For a second script, port or command, put a copy of the document
from `components/` under another name beside your configuration, as one of your own.

Parameters are given by `with:` and checked before anything is written, names, kinds and required ones. A component that
is not made for the image's platform is refused.
"""

_OWN = f"""\
## A document of your own

A path in `build` or `test`, from the configuration's folder, names a document in the language of AWS's Task
Orchestrator and Executor ([AWS's guide](https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html)):

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

Images of several platforms may use one document; it is checked for each.

**Kinds of parameters.** AWS knows text only. A description that begins with `Whole number.`, `true or false.` or
`One of a, b, c.` says more, and Goldsmith takes nothing else, as default and in `with:`. A parameter without a default
is required.

**What happens to values.** The executor puts a value into the script as it is, once, where `{{{{ name }}}}` stands. So
write it between single quotes, as above: a value that has one itself is then refused. Longer text stands in a quoted
here-document or here-string, as in `run-script`; of PowerShell's, a value with a line that begins with `'@` is refused,
which would end it. Braces in values stay braces.
Braces that are not for the executor, such as those of `docker ps --format '{{{{ .ID }}}}'`, go into a constant.

**What is checked**, with file, line, step and rule, all at once:

- schema version, unknown keys, names of phases, steps, parameters and constants, each once;
- actions: known ones, of the document's platform, with the inputs that they need and no others;
- `timeoutSeconds`, `maxAttempts`, `onFailure`, `if` and `loop`;
- references: parameters and constants that are not declared; steps, inputs and outputs that are not there, not yet, on
  another instance, or in a phase that Image Builder does not run; loops of another step;
- scripts that end by restarting the instance: a step with `action: Reboot` does that, or `exit 194` (Windows: 3010),
  which tells the executor, so that the build goes on afterwards;
- size: {DOCUMENT.most} bytes.

A document of more than {INLINE.most} bytes is more than Image Builder takes in a request; it goes through the image's
bucket by itself.

**Objects in S3.** A value of `with:` that is the address of an object, `s3://bucket/key`, lets the build read that
object. A bucket in another account must let the build's role read it too, as must the key of a bucket that has one.

## Components of AWS, and of others

An ARN names a component that AWS, another team or, for AMIs only, a vendor of the Marketplace keeps, with its version
or wildcards:

```yaml
build:
  - update-os
  - arn:aws:imagebuilder:eu-west-1:aws:component/amazon-corretto-21-headless/x.x.x
```

Its parameters can be given by `with:`, too; AWS checks them. `schedule: {{when: dependency-updates}}` builds when a
version comes that the wildcards take.
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
    """The page as it should be."""
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
        said = _by_platform({platform: document.description for platform, document in documents.items()})
        if len(said) == 1:
            yield f"{next(iter(said))}\n"
        else:
            yield "".join(f"- **{' and '.join(platforms)}**: {text}\n" for text, platforms in said.items())
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
        yield "| Parameter | For | Value | Without it | Meaning |\n| --- | --- | --- | --- | --- |"
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
