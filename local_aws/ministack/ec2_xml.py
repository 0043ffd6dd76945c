"""EC2's answers, in the XML of its query API: read, added to, and written as EC2 writes them."""

import uuid
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from local_aws.asgi import Send, respond

_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def add(element: ElementTree.Element, name: str, value: str = "") -> ElementTree.Element:
    """Add an element in the namespace of the one around it; gives the new one."""
    namespace, bracket, _ = str(element.tag).rpartition("}")
    added = ElementTree.SubElement(element, f"{namespace}{bracket}{name}")
    added.text = value
    return added


def text(root: ElementTree.Element) -> bytes:
    """A whole answer as text. What is empty has an end tag too: others add to an answer before such a tag."""
    if root.tag.startswith("{"):
        ElementTree.register_namespace("", root.tag[1:].partition("}")[0])
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True, short_empty_elements=False)
    return written


def response(action: str, content: str) -> str:
    """The answer to an action, around content that is XML already."""
    request = f"<requestId>{uuid.uuid4()}</requestId>"
    return f'<{action}Response xmlns="{_NAMESPACE}">{request}{content}</{action}Response>'


def refusal(code: str, message: str) -> str:
    """What a request is refused with."""
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return f"<Response><Errors>{error}</Errors><RequestID>{uuid.uuid4()}</RequestID></Response>"


async def send_xml(send: Send, body: str, *, status: int = 200) -> None:
    """Send an answer."""
    await respond(send, status=status, headers={"content-type": "text/xml"}, body=body.encode())
