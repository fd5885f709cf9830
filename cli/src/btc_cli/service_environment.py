"""Which variables each service gets: those that its settings class declares, and no others.

So a password or key reaches only the process that asks for it, and all settings can be checked before any starts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

# What any program needs; nothing in it configures the agent.
_COMMON = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "TZ")


def common_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What every process gets: the surroundings, and unbuffered output for the logs."""
    return {name: environ[name] for name in _COMMON if name in environ} | {"PYTHONUNBUFFERED": "1"}


def with_absolute_files(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with complete paths in its `NAME_FILE` variables: a service runs in another folder than its starter."""
    return {
        name: str(Path(value).absolute()) if name.endswith("_FILE") and value else value
        for name, value in environ.items()
    }


def service_environment(
    fields: Sequence[str], environ: Mapping[str, str], fixed: Mapping[str, str], *, withheld: Sequence[str] = ()
) -> dict[str, str]:
    """Variables for a service whose settings have these `fields`.

    `fixed` wins over `environ`, in whichever form (`NAME` or `NAME_FILE`) either of them is given. Fields whose
    names start with one of `withheld` come from `fixed` only.
    """
    result = common_environment(environ)
    for field in fields:
        name = field.upper()
        forms = (name, f"{name}_FILE")
        source = fixed if any(form in fixed for form in forms) else environ
        if source is environ and field.startswith(tuple(withheld)):
            continue
        result.update({form: source[form] for form in forms if form in source})
    return result
