"""A supervised run of small programs, for the launcher's tests: `python dummy_stack.py HOME COMMAND…`, one per process.

A command is Python code with the home as its argument. Names are p0, p1 …; each is a stage of its own, and well
once it has made the file `ready.<its pid>` in the home.
"""

import asyncio
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
        ready = (Path(folder) / f"ready.{pid}").exists()
        return Finding(Condition.HEALTHY) if ready else Finding(Condition.SILENT, "not ready")

    def spec(number: int, code: str) -> ProcessSpec:
        command = [sys.executable, "-c", code, folder]
        return ProcessSpec(f"p{number}", command, {"PYTHONUNBUFFERED": "1"}, probe=probe, stop_secs=2.0)

    stages = [[spec(number, code)] for number, code in enumerate(programs)]
    stack = Stack(stages, {"web api": "http://127.0.0.1:9"})
    state = asyncio.run(run_stack(Home(Path(folder)), "dummy", lambda _say: stack, timing=FAST))
    print(state.error)
    return state.exit_code


if __name__ == "__main__":
    sys.exit(main())
