"""A supervised run of the real database and stream servers, for the launcher's tests: `python server_stack.py HOME`."""

import asyncio
import sys
from pathlib import Path

from btc_cli.agent_stack import postgres_process, valkey_process
from btc_cli.embedded import prepare_postgres, prepare_valkey
from btc_cli.home import Home
from btc_cli.processes import Stack
from btc_cli.session import run_stack


def main() -> int:
    home = Home(Path(sys.argv[1]))

    def prepare(_say: object) -> Stack:
        return Stack([[postgres_process(prepare_postgres(home)), valkey_process(prepare_valkey(home))]], {})

    state = asyncio.run(run_stack(home, "servers", prepare))
    print(state.error)
    return state.exit_code


if __name__ == "__main__":
    sys.exit(main())
