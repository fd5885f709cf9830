"""The practice exchange as a process of its own, on a port that the system chooses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect


class Exchange:
    """A running `python -m kucoin_sim`; `rest` is its address."""

    def __init__(self, arguments: tuple[str, ...], log_path: Path) -> None:
        self._log_path = log_path
        with log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kucoin_sim", "--port", "0", "--json", *arguments],
                env={name: value for name, value in os.environ.items() if not name.startswith("KUCOIN_SIM_")},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.rest: str = json.loads(line)["rest"] if line else ""
        assert line or self.process.wait(10) is not None, "it neither started nor ended"

    def get(self, path: str, **parameters: object) -> httpx.Response:
        return httpx.get(self.rest + path, params={name: str(value) for name, value in parameters.items()})

    def data(self, path: str, **parameters: object) -> Any:
        """The `data` of a successful answer."""
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["code"] == "200000", body
        return body["data"]

    def bullet(self) -> Any:
        return httpx.post(self.rest + "/api/v1/bullet-public").json()["data"]

    def connect(self, connect_id: str = "test", **more: Any) -> connect:
        """A WebSocket connection with a fresh token."""
        bullet = self.bullet()
        endpoint = bullet["instanceServers"][0]["endpoint"]
        return connect(f"{endpoint}?token={bullet['token']}&connectId={connect_id}", proxy=None, **more)

    def log(self) -> list[Any]:
        """The log's lines; each is a JSON object."""
        return [json.loads(line) for line in self._log_path.read_text().splitlines()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


Start = Callable[..., Exchange]


@pytest.fixture
def start_exchange(tmp_path: Path) -> Iterator[Start]:
    """Start exchanges with flags; all are stopped at the end of the test."""
    running: list[Exchange] = []

    def start(*arguments: str) -> Exchange:
        running.append(Exchange(arguments, tmp_path / f"exchange-{len(running)}.log"))
        return running[-1]

    yield start
    for exchange in running:
        exchange.stop()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange with two generated pairs, shared by the tests of a module."""
    running = Exchange(
        ("--market", "crash", "--symbols", "BTC-USDT,ETH-USDT"), tmp_path_factory.mktemp("log") / "exchange.log"
    )
    yield running
    assert running.stop() == 0


async def next_frame(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())
