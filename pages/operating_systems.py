"""The page of the catalogue, `docs/operating-systems.md`."""

import re
from collections.abc import Iterator

from estate.catalogue.operating_systems import CATALOGUE, ManagedImage, OperatingSystem, PublicParameter, Published

_INTRODUCTION = """\
# Operating systems

Generated from the catalogue by `python -m pages`; do not edit.

An image names one of these as its `os` and gets a pipeline that works: a parent image, its root device, the agent that
Image Builder needs, and instance types. All of it can be overridden in the image.

- **Parent**: what the image is built from. A *managed image* is one that AWS keeps in Image Builder; a *parameter* is a
  public one of its publisher in Parameter Store. Both are resolved when a build starts, to the newest one, and
  `schedule: {when: dependency-updates}` builds when there is a newer one. *AMI ID* means that there is neither any
  more: [you write one](#an-ami-id-as-parent).
- **Agent**: Image Builder and fleets need the Systems Manager agent. It is in the parent, or Image Builder installs it
  for the build, and the image keeps it, whatever `parent` is named. Windows AMIs of AWS have it.
- **Instance types**: where builds run when `infrastructure` does not say; AWS takes one that it has.
- **Support until**: the last day of security updates from the publisher without another contract. An image of a system
  past that day still builds; synthesis says so in one line. Apple names no days.
"""

_PARENTS = """\
## An AMI ID as parent

For a system that has neither a managed image nor a parameter, find the newest AMI in the image's home region and write
it into the image:

```console
$ python -m ops parent centos-7 --region eu-west-1
```

It looks for AMIs of the publisher's account with such names, and prints the line to write. Publishers withdraw old
AMIs, and AWS mends those of Windows Server 2016 and later only: when none is found, write the ID of an AMI of your own.
An AMI ID stays what it is, so `when: dependency-updates` never fires for it: write `when: always`, or use a managed
component with a wildcard version.
"""

_REST = """\
The command works for every system: for the others it says what a build would take now, and how to stay with it.

## A base image and its children

The parent can be another image of the same estate:

```yaml
images:
  base:
    os: amazon-linux-2023
    build: [update-os]
    schedule: {rate: 7 days}
    regions: [eu-west-1, us-east-1]
    channels: [approved]
  web:
    os: amazon-linux-2023
    parent: base                                # short for {image: base, channel: latest}
    build: [{use: install-packages, with: {packages: nginx}}]
    schedule: {rate: 1 day}
    regions: [eu-west-1]
  shop:
    os: amazon-linux-2023
    parent: {image: base, channel: approved}    # what an operator has approved
    build: [{use: install-packages, with: {packages: nginx}}]
    schedule: {rate: 1 day}
    regions: [us-east-1]
```

The child's recipe names the base's channel, `ssm:/imagebuilder/<namespace>/base/latest`, which Image Builder may read
and looks up at the start of each build. So no plan moves when the base does, and a child with a schedule of
`dependency-updates` is built anew when its base has moved. Base and child have the same `os` and architecture, the base
goes to the child's home region, and images that are built from each other in a circle are refused. **Build the base
once before the child's first build**: until then its parameter does not exist.

## macOS

Macs are dedicated hosts with one instance each, which you allocate yourself (for 24 hours at least). The image says
where they are, `infrastructure: {placement: {tenancy: host, host_id: h-…}}` or a `host_resource_group_arn`, and the
instance types must be those of the hosts. A fleet takes its hosts from a host resource group, which needs a license
configuration that the group has too: `license_configuration_arns`. A host is cleaned for an hour or more after its
instance has ended, so a rollout needs hosts to spare. `mac1` is x86_64, all later Macs are arm64.

## China, GovCloud and other partitions

ARNs, addresses and the accounts above follow the image's home region. Not every managed image and parameter exists in
every partition: `python -m ops parent OS --region cn-north-1` says whether one does. Where none does, write an AMI ID.
"""


def operating_systems_page() -> str:
    """The page as it should be."""
    lines = [_INTRODUCTION, *_table(), "", _PARENTS, *_publishers(), "", _REST]
    return "\n".join(lines)


def _table() -> Iterator[str]:
    titles = ("`os`", "Architectures", "Parent", "Root device", "Packages", "Agent", "Instance types", "Support until")
    yield f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}"
    for system in CATALOGUE.values():
        cells = (
            f"`{system.name}`",
            ", ".join(f"`{each}`" for each in system.architectures),
            _parent(system),
            f"`{system.root_device}`",
            "none" if system.packages == "windows" else system.packages,
            "in the parent" if system.has_agent else "installed",
            "; ".join(", ".join(f"`{each}`" for each in system.instance_types(one)) for one in system.architectures),
            f"{system.end_of_support:%Y-%m-%d}" if system.end_of_support else "not named",
        )
        yield f"| {' | '.join(cells)} |"


def _parent(system: OperatingSystem) -> str:
    kinds: dict[str, list[str]] = {}
    for source in system.parents.values():
        match source:
            case ManagedImage(name):
                kinds.setdefault("managed image", []).append(name)
            case PublicParameter(path):
                kinds.setdefault("parameter", []).append(path)
            case Published():
                kinds["AMI ID"] = []
    return "; ".join(f"{kind} `{_together(texts)}`" if texts else kind for kind, texts in kinds.items())


def _together(texts: list[str]) -> str:
    """`{a,b}` stands where they differ between hyphens and slashes."""
    parts = zip(*(re.split(r"([-/])", text) for text in texts), strict=True)
    return "".join(each[0] if len(set(each)) == 1 else f"{{{','.join(each)}}}" for each in parts)


def _publishers() -> Iterator[str]:
    yield "| `os` | Publisher's account | Names |\n| --- | --- | --- |"
    for system in CATALOGUE.values():
        for source in system.parents.values():
            if isinstance(source, Published):
                accounts = {
                    owner: [each for each in source.owners if source.owners[each] == owner]
                    for owner in source.owners.values()
                }
                names = ", ".join(f"`{name}`" for name in source.names)
                owners = "; ".join(f"`{owner}` in {', '.join(partitions)}" for owner, partitions in accounts.items())
                yield f"| `{system.name}` | {owners} | {names} |"
                break
