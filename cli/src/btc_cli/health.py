"""What a service's answer about its health says."""

import json


def failures_in(body: bytes | str) -> str:
    """What is wrong, out of `{checks: {name: {ok, detail}}}`; empty when nothing is, or when it is something else."""
    try:
        checks = json.loads(body)["checks"].items()
        return "; ".join(f"{name}: {check['detail']}" for name, check in checks if not check["ok"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
