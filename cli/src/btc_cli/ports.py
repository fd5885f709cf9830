"""The ports that a person opens: demanded by name, or the usual ones, or free ones when those are taken."""

import errno

import psutil

from btc_cli.home import Home, bind_error


class PortError(Exception):
    """A demanded port cannot be had. The message says why and what to do."""


def choose(home: Home, name: str, usual: int, demanded: int | None, variable: str) -> tuple[int, str]:
    """A port on 127.0.0.1 for the process `name`, and a remark when it is not the usual one that nobody changed.

    `demanded` comes from the environment's `variable`: None for the usual port, 0 for any free one.

    Raises:
        PortError: when the demanded port cannot be had.
    """
    if demanded == 0:
        return home.port(name), ""
    if demanded is not None:
        if problem := why_not(demanded):
            raise PortError(f"{variable} is {demanded}, but that port {problem}: choose another port, or free it")
        return home.port(name, demanded), ""
    port = home.port(name, usual)
    return port, "" if port == usual else f"port {usual} {why_not(usual)}: {name} is on {port} ({variable} chooses one)"


def why_not(port: int) -> str:
    """Why no server can listen on the port, as the end of a sentence about it; empty when one can."""
    error = bind_error(port)
    if error is None:
        return ""
    if error.errno != errno.EADDRINUSE:
        return f"cannot be used ({error.strerror})"
    return f"is taken by {_holder(port)}"


def _holder(port: int) -> str:
    """Who listens on it. Other users' processes have no number for us unless we are root."""
    try:
        listening = [
            connection.pid
            for connection in psutil.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        ]
        pid = next((pid for pid in listening if pid is not None), None)
        return f"{psutil.Process(pid).name()} (process {pid})" if pid is not None else "another program"
    except psutil.Error:  # it is gone again, or we may not look
        return "another program"
