"""The page of the catalogue, `docs/operating-systems.md`."""

import re
from collections.abc import Iterator

from estate.catalogue.operating_systems import CATALOGUE, ManagedImage, OperatingSystem, PublicParameter, Published

_INTRODUCTION = """\
# Operating systems

Generated from the catalogue by `python -m pages`; do not edit.

An image names one of these as its `os` and gets a pipeline that works: a parent image, its root device, the agent that
Image Builder needs, and instance types. The image can override all of them.

- **Parent**: what the image is built from. A *managed image* is an image that AWS manages in Image Builder; a
  *parameter* is a public parameter of the publisher in Parameter Store. Both are resolved to the newest AMI when a
  build starts, and `schedule: {when: dependency-updates}` builds when there is a newer one. *AMI ID* means that there
  is neither: [write an AMI ID](#an-ami-id-as-parent).
- **Agent**: Image Builder and fleets need the Systems Manager agent. Either the parent has it, or Image Builder
  installs it for the build and the image keeps it. With a `parent` of your own, the image keeps it, too. AWS's Windows
  AMIs have it.
- **Instance types**: where builds run unless `infrastructure` names others; AWS takes one that is available.
- **Support until**: the last day on which the publisher provides security updates without an extra contract. After that
  day the image can still be built; synthesis writes one line about it. Apple does not publish these days.
"""

_PARENTS = """\
## An AMI ID as parent

For a system that has neither a managed image nor a parameter, find the newest AMI in the image's home region and write
it into the image:

```console
$ goldsmith doctor --parent centos-7 --region eu-west-1
```

The command looks for AMIs with these names in the publisher's account, and prints the line to write. Publishers
withdraw old AMIs, and AWS updates its Windows AMIs only for Windows Server 2016 and later. If none is found, write the
ID of an AMI of your own. An AMI ID never changes, so `when: dependency-updates` never starts a build because of it:
write `when: always`, or use a managed component with a wildcard version.
"""

_REST = """\
The command works for every system. For the others it prints the AMI that a build would take now, and how to pin it.

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

The child's recipe names the parameter of the base's channel, `ssm:/imagebuilder/<namespace>/base/latest`, which Image
Builder reads at the start of each build. So a new build of the base changes no plan, and a child with
`when: dependency-updates` in its schedule is rebuilt when the base's channel has moved. The base must have the child's
`os` and architecture and be distributed to the child's home region. Images that are built from each other in a circle
are refused. **Build the base once before the child's first build**: until then its parameter does not exist.

## macOS

Macs are dedicated hosts with one instance each, which you allocate yourself, for at least 24 hours. The image names a
host, `infrastructure: {placement: {tenancy: host, host_id: h-…}}`, or a `host_resource_group_arn`, and its instance
types must be those of the hosts. A fleet takes its hosts from a host resource group and needs one of the group's
license configurations: `license_configuration_arns`. After an instance is terminated, AWS cleans its host for an hour
or more, so a rollout needs spare hosts. `mac1` is x86_64, all later Macs are arm64.

## China, GovCloud and other partitions

ARNs, addresses and the accounts above follow the image's home region. Not every managed image and parameter exists in
every partition: `goldsmith doctor --parent OS --region cn-north-1` tells you whether one does. If not, write an AMI ID.
"""


def operating_systems_page() -> str:
    """`docs/operating-systems.md`."""
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
    """Several texts as one: `{a,b}` where a part between hyphens or slashes differs."""
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
