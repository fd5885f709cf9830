"""How a service's tasks end: all of them, whatever they do with a cancellation; and a process that is stuck."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from btc_shared import service
from btc_shared.service import HttpServer, StartError, run_until


async def test_stop_ends_all_tasks() -> None:
    stop, ended = asyncio.Event(), []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    running = asyncio.ensure_future(run_until(stop, work("one"), work("two")))
    await asyncio.sleep(0)
    stop.set()
    await running
    assert sorted(ended) == ["one", "two"]


async def test_the_first_failure_ends_all_and_is_raised() -> None:
    ended = asyncio.Event()

    async def fails() -> None:
        raise ValueError("broken")

    async def works() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ValueError, match="broken"):
        await run_until(asyncio.Event(), works(), fails())
    assert ended.is_set()


async def test_a_task_that_drops_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CANCELLATION_SECS", 0.01)
    stop, dropped = asyncio.Event(), 0

    async def stubborn() -> None:
        nonlocal dropped
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                dropped += 1
                if dropped == 3:
                    raise

    running = asyncio.ensure_future(run_until(stop, stubborn()))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(10):
        await running
    assert dropped == 3


async def test_a_port_in_use_is_said_in_a_sentence() -> None:
    async def hello(_: object) -> PlainTextResponse:
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/", hello)])
    async with HttpServer(app, "127.0.0.1", 0) as first:
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{first.port}/")).text == "hello"
        with pytest.raises(StartError, match=f"cannot listen on 127.0.0.1:{first.port}: Address already in use"):
            async with HttpServer(app, "127.0.0.1", first.port):
                pass


def test_a_process_whose_loop_stands_still_ends_itself_and_says_where(tmp_path: Path) -> None:
    program = tmp_path / "stuck.py"
    program.write_text(
        "import asyncio, time\n"
        "from btc_shared import service\n"
        "async def main():\n"
        "    asyncio.create_task(service._prove_alive(0.6))\n"
        "    await asyncio.sleep(2)  # alive for longer than that\n"
        "    print('alive', flush=True)\n"
        "    time.sleep(250)\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=120)
    assert ended.stdout == "alive\n"
    assert ended.returncode == 1
    assert "Timeout (0:00:00.600000)!" in ended.stderr
    assert 'stuck.py", line 7 in main' in ended.stderr
