"""Become another program that cannot outlive its starter. Run as a script, not imported.

    python -I -S child.py PARENT_PID DEATH_SIGNAL UID:GID|- PROGRAM [ARGUMENT ...]

Drops to the account, asks the kernel for DEATH_SIGNAL when the parent ends, then replaces itself by the program.
A script of its own because `preexec_fn` is unsafe once a process has threads. Only the standard library's core is
imported, so that it costs about 10 ms. The order matters: changing the user clears the death signal.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    """Drop privileges, arm the death signal, exec. Exits with 126 when the program cannot be run."""
    parent, death_signal, account, *command = arguments
    if account != "-":
        uid, _, gid = account.partition(":")
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
            sys.exit("cannot arm the parent-death signal")
        if os.getppid() != int(parent):  # it ended before the signal was armed
            sys.exit("the starting process is gone")
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
        sys.exit(126)


if __name__ == "__main__":
    main(sys.argv[1:])
