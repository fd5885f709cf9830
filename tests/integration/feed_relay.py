"""Stands between the feed and the exchange, and can cut or silence the WebSocket while REST goes on."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator

SOCKET_REQUEST = b"GET /endpoint"


class Relay:
    """A TCP relay. The exchange names its own address by the Host header, so its socket leads through here too."""

    def __init__(self, exchange_port: int) -> None:
        self._exchange_port = exchange_port
        self._server: asyncio.Server | None = None
        self._loop = asyncio.get_running_loop()
        self._sockets: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut = False
        self._silent = False
        self.port = 0

    def cut(self) -> None:
        """Drop the sockets that are open and refuse new ones."""
        self._cut = True
        for task in self._sockets:
            task.cancel()

    def silence(self) -> None:
        """Leave the sockets open, but swallow what the exchange sends."""
        self._silent = True

    def mend(self) -> None:
        """Let everything through again."""
        self._cut = self._silent = False

    def from_another_thread(self, order: str) -> None:
        """Have an order (the name of a method) carried out in the relay's own thread."""
        self._loop.call_soon_threadsafe(getattr(self, order))

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # A cut connection is not an error: the one who asks must notice.
            with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
                await self._converse(task, reader, writer)
        finally:
            self._tasks.discard(task)
            self._sockets.discard(task)
            writer.close()

    async def _converse(
        self, task: "asyncio.Task[None]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first = await reader.read(1 << 16)
        is_socket = first.startswith(SOCKET_REQUEST)
        if is_socket and self._cut:
            return
        if is_socket:
            self._sockets.add(task)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._exchange_port)
        try:
            far_writer.write(first)
            async with asyncio.TaskGroup() as group:
                there = group.create_task(self._pass_on(reader, far_writer, silenced=False))
                back = group.create_task(self._pass_on(far_reader, writer, silenced=is_socket))
                await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
                there.cancel()
                back.cancel()
        finally:
            far_writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, silenced: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if not (silenced and self._silent):
                    writer.write(data)
                    await writer.drain()


@contextlib.asynccontextmanager
async def relay_to(exchange_port: int) -> AsyncIterator[Relay]:
    relay = Relay(exchange_port)
    await relay.start()
    try:
        yield relay
    finally:
        await relay.close()


@contextlib.contextmanager
def relay_in_thread(exchange_port: int) -> Iterator[Relay]:
    """For tests that wait in their own thread; orders go through `from_another_thread`."""
    ready, made = threading.Event(), list[Relay]()
    ended: list[asyncio.Event] = []

    async def serve() -> None:
        async with relay_to(exchange_port) as relay:
            made.append(relay)
            ended.append(asyncio.Event())
            ready.set()
            await ended[0].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield made[0]
    finally:
        made[0]._loop.call_soon_threadsafe(ended[0].set)
        thread.join(10)
