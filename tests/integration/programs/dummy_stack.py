"""A supervised run of small programs, for the launcher's tests: `python dummy_stack.py HOME COMMAND…`, one per process.

A command is Python code with the home as its argument. Names are p0, p1 …; each is a stage of its own, and well
once it has made the file `ready.<its pid>` in the home; with `waits.<its pid>` it answers, but is not well.
With DUMMY_EXCHANGE in the environment the last one needs an exchange outside: the file `exchange` in the home.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from btc_cli.home import Home
from btc_cli.keeper import Timing
from btc_cli.processes import Condition, Finding, ProcessSpec, Stack
from btc_cli.session import run_stack

FAST = Timing(probe_secs=0.05, starting_probe_secs=0.02, first_delay_secs=0.05, longest_delay_secs=0.4)


def main() -> int:
    folder, *programs = sys.argv[1:]
    # A test run in a shell's background inherits an ignored SIGINT, which the launcher would respect.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    async def probe(pid: int) -> Finding:
        if (Path(folder) / f"ready.{pid}").exists():
            return Finding(Condition.HEALTHY)
        waits = (Path(folder) / f"waits.{pid}").exists()
        return Finding(Condition.UNHEALTHY, "waits") if waits else Finding(Condition.SILENT, "not ready")

    async def ask_exchange() -> str:
        return "" if (Path(folder) / "exchange").exists() else "the exchange is not reached"

    is_outside = "DUMMY_EXCHANGE" in os.environ

    def spec(number: int, code: str) -> ProcessSpec:
        return ProcessSpec(
            f"p{number}",
            [sys.executable, "-c", code, folder],
            {"PYTHONUNBUFFERED": "1"},
            probe=probe,
            needs_exchange=is_outside and number == len(programs) - 1,
            advice="ask somebody",
            stop_secs=2.0,
        )

    stages = [[spec(number, code)] for number, code in enumerate(programs)]
    stack = Stack(
        stages,
        {"web api": "http://127.0.0.1:9"},
        remarks=["a remark"],
        ask_exchange=ask_exchange if is_outside else None,
    )
    state = asyncio.run(run_stack(Home(Path(folder)), "dummy", lambda _say: stack, timing=FAST))
    print(state.error)
    return state.exit_code


if __name__ == "__main__":
    sys.exit(main())
