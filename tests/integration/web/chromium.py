"""A real browser without a window, spoken to over its debugging socket: what it shows, and what a person would do."""

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

START_SECS = 60.0
WAIT_SECS = 30.0
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
    "--remote-debugging-port=0",
)  # fmt: skip


def executable() -> str | None:
    """The browser on this machine; None without one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Tab:
    """One page. `problems` has what the browser complained about: errors of scripts, refusals of the policy."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, count(1)
        self._session: dict[str, str] = {}  # empty: commands go to the browser itself
        self.problems: list[str] = []

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol; returns its result.

        Raises:
            AssertionError: the browser refuses it.
        """
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        await self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(await self._socket.recv())
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Runtime.exceptionThrown":
            self.problems.append(str(event["params"]["exceptionDetails"]))
        # Answers with an error status are "network" entries: those, the page itself has to tell.
        elif event.get("method") == "Log.entryAdded" and event["params"]["entry"]["source"] != "network":
            self.problems.append(event["params"]["entry"]["text"])

    async def open(self, address: str) -> None:
        target = await self.command("Target.createTarget", url="about:blank")
        attached = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            await self.command(f"{domain}.enable")
        await self.command("Page.navigate", url=address)
        await self.until(f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete'")

    async def says(self, expression: str) -> Any:
        """The value of a script's expression."""
        answer = await self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a script's expression is true."""
        deadline = time.monotonic() + WAIT_SECS
        while time.monotonic() < deadline:
            if await self.says(f"Boolean({expression})"):
                return
            await asyncio.sleep(0.05)
        shown = await self.says("document.body.innerText")
        raise AssertionError(f"not within {WAIT_SECS} s: {expression}\n{self.problems}\nthe page shows:\n{shown}")


@asynccontextmanager
async def browser_tab(language: str = "en") -> AsyncIterator[Tab]:
    """A browser of its own, gone afterwards."""
    name = executable()
    assert name is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        languages = (f"--accept-lang={language}", f"--lang={language}")
        process = await asyncio.create_subprocess_exec(
            name,
            *_OPTIONS,
            *languages,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            async with connect(await _address(process, Path(profile)), max_size=None) as socket:
                yield Tab(socket)
        finally:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _address(process: asyncio.subprocess.Process, profile: Path) -> str:
    announced = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECS
    while time.monotonic() < deadline:
        assert process.returncode is None, f"the browser ended with {process.returncode}"
        lines = announced.read_text().splitlines() if announced.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        await asyncio.sleep(0.05)
    raise AssertionError(f"the browser did not start within {START_SECS} s")
