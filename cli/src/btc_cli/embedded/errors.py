"""Errors of the embedded servers."""


class EmbeddedError(Exception):
    """An embedded server cannot run. The message says why and what to do."""
