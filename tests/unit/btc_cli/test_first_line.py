"""What a start shows first must not wait for what it needs later."""

import json
import subprocess
import sys

# The database, its drivers and the services' frame take most of a second to import; all of it is for the stack.
_LATER = {"sqlalchemy", "psycopg", "starlette", "uvicorn", "redis", "btc_cli.agent_stack"}
_FIRST = "btc_cli.app, btc_cli.commands.running, btc_cli.screen, btc_cli.session"


def test_the_first_line_does_not_wait_for_the_stack_to_be_imported() -> None:
    program = f"import json, sys, {_FIRST}; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, check=True).stdout)
    assert "btc_cli.session" in loaded
    assert not _LATER & set(loaded)
