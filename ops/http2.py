"""Whole messages over HTTP/2, as gRPC's unary calls are: headers, data and, in an answer, trailers.

The protocol itself is `h2`, which setup installs with ministack's server.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.settings import SettingCodes

Headers = Sequence[tuple[bytes, bytes]]
_WINDOW = 2**30
"""How many bytes may be on their way: a provider's schema has five million."""


@dataclass
class Message:
    """A request or an answer."""

    headers: Headers
    data: bytearray = field(default_factory=bytearray)
    trailers: Headers = ()

    @property
    def path(self) -> str:
        """Of a request."""
        return dict(self.headers)[b":path"].decode()


class Peer:
    """The other end of a connection, to which requests are sent if `served`, and answers otherwise."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, served: bool) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, Message] = {}
        configuration = H2Configuration(
            client_side=served,
            header_encoding=None,
            # names and order are gRPC's, and pass as they are
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._connection = H2Connection(configuration)
        self._connection.initiate_connection()
        self._connection.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW})
        self._connection.increment_flow_control_window(_WINDOW)
        self._write()

    async def messages(self) -> AsyncIterator[tuple[int, Message]]:
        """Each message that has been received to its end, with its stream, until the connection ends."""
        begun: dict[int, Message] = {}
        while received := await self._received():
            for event in self._connection.receive_data(received):
                match event:
                    case RequestReceived() | ResponseReceived():
                        begun[event.stream_id] = Message(event.headers)
                    case DataReceived():
                        begun[event.stream_id].data += event.data
                        self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case TrailersReceived():
                        begun[event.stream_id].trailers = event.headers
                    case StreamReset():
                        begun.pop(event.stream_id, None)
                        self._waiting.pop(event.stream_id, None)
                    case StreamEnded() if event.stream_id in begun:
                        yield event.stream_id, begun.pop(event.stream_id)
            self._write()

    def request(self, message: Message) -> int:
        """Send a request; gives its stream, on which the answer will come."""
        stream = self._connection.get_next_available_stream_id()
        self.send(stream, message)
        return stream

    def send(self, stream: int, message: Message) -> None:
        """Send a message, at once as far as the other end takes it."""
        if not message.data and not message.trailers:  # gRPC's failure: an answer of headers only
            self._connection.send_headers(stream, message.headers, end_stream=True)
        else:
            self._connection.send_headers(stream, message.headers)
            self._waiting[stream] = Message((), bytearray(message.data), message.trailers)
        self._write()

    async def close(self) -> None:
        """End the connection; nothing is received any more."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _received(self) -> bytes:
        try:
            return await self._reader.read(2**18)
        except ConnectionError:  # how a command ends that was killed
            return b""

    def _write(self) -> None:
        for stream, message in [*self._waiting.items()]:
            self._send_data(stream, message)
        self._writer.write(self._connection.data_to_send())

    def _send_data(self, stream: int, message: Message) -> None:
        connection = self._connection
        while message.data:
            taken = min(connection.local_flow_control_window(stream), connection.max_outbound_frame_size)
            if taken <= 0:  # the other end will ask for the rest
                return
            connection.send_data(stream, bytes(message.data[:taken]))
            del message.data[:taken]
        del self._waiting[stream]
        if message.trailers:
            connection.send_headers(stream, message.trailers, end_stream=True)
        else:
            connection.end_stream(stream)
