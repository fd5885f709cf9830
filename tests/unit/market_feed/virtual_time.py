"""An event loop in which hours pass in a moment: when everybody sleeps, its clock jumps to the next who wakes."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """For work that does no I/O: nobody waits for anything but other tasks and time."""

    def __init__(self) -> None:
        self._now = 1_000.0
        super().__init__()
        selector = self._selector  # type: ignore[attr-defined]
        look = selector.select

        def select(timeout: float | None) -> Any:
            assert timeout is not None, "everybody waits for something that never comes"
            self._now += max(0.0, timeout)
            return look(0)

        selector.select = select

    def time(self) -> float:
        return self._now


def in_virtual_time(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `work` to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work())
