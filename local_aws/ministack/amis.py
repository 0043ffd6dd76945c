"""AMIs as EC2 tells of them: what ministack keeps to itself or does not have is put in here.

Requests to EC2 pass through. DescribeImages answers get, for each AMI that was registered here, the date (without it
`data.aws_ami` cannot say which of two is the newer) and, for those that Image Builder made, the platform and the AMI
that they come from; and they get the AMIs that publishers offer to everybody.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from local_aws.asgi import App, Receive, Scope, Send, answer_of, giving, read_body, send_answer
from local_aws.image_builder.dates import api_date
from local_aws.image_builder.public_images import PublicImage, public_images

_AMI_ID = re.compile(rb"<imageId>([^<]+)</imageId>")


@dataclass(frozen=True, kw_only=True)
class _Details:
    """What DescribeImages says beyond ministack; what is empty it leaves out, as EC2 does."""

    created: str
    platform: str = ""
    source: tuple[str, str] = ("", "")


class WholeAmis:
    """An ASGI app around another; only for requests to EC2."""

    def __init__(self, *, app: App) -> None:
        self._app = app
        self._details: dict[bytes, _Details] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, region: str) -> None:
        """Pass the request on, and its answer back whole."""
        body = await read_body(receive)
        answer = await answer_of(self._app, scope, giving(body))
        content = answer.body
        if b"<RegisterImageResponse" in content:
            self._details.update((ami, _Details(created=api_date())) for ami in _AMI_ID.findall(content))
        elif b"<DescribeImagesResponse" in content:
            found = "".join(_item(image, region) for image in _asked_for(parse_qs(body.decode()), region))
            content = _AMI_ID.sub(self._with_details, content).replace(b"</imagesSet>", f"{found}</imagesSet>".encode())
        await send_answer(send, answer, body=content)

    def date(self, ami: str, date: str) -> None:
        """Let an AMI have been created at another time, in the API's form."""
        key = ami.encode()
        self._details[key] = replace(self._details.get(key, _Details(created=date)), created=date)

    def describe(self, ami: str, *, platform: str, source: tuple[str, str]) -> None:
        """Say what RegisterImage cannot: the platform, and region and ID of the AMI that this one was made from."""
        self._details[ami.encode()] = replace(
            self._details[ami.encode()],
            platform="windows" if platform == "Windows" else "",
            source=source,
        )

    def _with_details(self, match: re.Match[bytes]) -> bytes:
        details = self._details.get(match[1])
        if details is None:
            return match[0]
        source_region, source_ami = details.source
        elements = {
            "creationDate": details.created,
            "platform": details.platform,
            "sourceImageId": source_ami,
            "sourceImageRegion": source_region,
        }
        return match[0] + "".join(f"<{name}>{value}</{name}>" for name, value in elements.items() if value).encode()


def _asked_for(question: dict[str, list[str]], region: str) -> Iterator[PublicImage]:
    """The public images that a DescribeImages request means: by IDs, owners and filters."""
    ids, owners = _list(question, "ImageId"), _list(question, "Owner")
    filters = {question[f"{key}.Name"][0]: _list(question, f"{key}.Value") for key in _numbered(question, "Filter")}
    for image in public_images(region):
        known = {
            "image-id": image.ami(region),
            "name": image.name,
            "owner-id": image.owner,
            "owner-alias": image.owner_alias or "",
            "architecture": image.architecture,
            "platform": "windows" if image.platform == "Windows" else "",
            "state": "available",
            "is-public": "true",
            "image-type": "machine",
            "root-device-name": image.root_device_name,
            "root-device-type": "ebs",
            "virtualization-type": "hvm",
        }
        if (
            (not ids or known["image-id"] in ids)
            and (not owners or {image.owner, image.owner_alias} & set(owners))
            and all(name in known and _matches(known[name], values) for name, values in filters.items())
        ):
            yield image


def _matches(known: str, values: list[str]) -> bool:
    return any(fnmatchcase(known, value) for value in values)


def _numbered(question: dict[str, list[str]], name: str) -> list[str]:
    return sorted({match[0] for key in question if (match := re.match(rf"{name}\.\d+", key))})


def _list(question: dict[str, list[str]], name: str) -> list[str]:
    return [question[key][0] for key in _numbered(question, name)]


def _item(image: PublicImage, region: str) -> str:
    elements = {
        "imageId": image.ami(region),
        "imageLocation": f"{image.owner_alias or image.owner}/{image.name}",
        "imageState": "available",
        "imageOwnerId": image.owner,
        "imageOwnerAlias": image.owner_alias,
        "creationDate": image.created,
        "isPublic": "true",
        "architecture": image.architecture,
        "imageType": "machine",
        "name": image.name,
        "platform": "windows" if image.platform == "Windows" else None,
        "rootDeviceType": "ebs",
        "rootDeviceName": image.root_device_name,
        "virtualizationType": "hvm",
        "hypervisor": "xen",
    }
    text = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items() if value)
    return f"<item>{text}</item>"
