"""How settings are read: environment variables named like the fields, with `NAME_FILE` variants for all.

Every problem is reported at once, before anything starts, with the setting, its value and what is allowed.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


class SettingsError(Exception):
    """One or more settings are wrong. `problems` has a sentence for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class _EnvironmentSource(PydanticBaseSettingsSource):
    """Reads `NAME`, else the stripped content of the file named by `NAME_FILE`. An empty value counts as unset."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._environ = environ

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = field_name.upper()
        value = self._environ.get(name, "")
        path = self._environ.get(f"{name}_FILE", "")
        if value and path:
            raise SettingsError([f"{name} and {name}_FILE are both set: keep one of them"])
        if path:
            try:
                value = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
                raise SettingsError(
                    [f"{name}_FILE is {path!r}: cannot read it ({reason}); name a readable text file"]
                ) from error
            if not value:
                raise SettingsError([f"{name}_FILE is {path!r}: the file is empty; put the value into it"])
        return (value or None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        problems: list[str] = []
        for name, field in self.settings_cls.model_fields.items():
            try:
                value, key, _ = self.get_field_value(field, name)
            except SettingsError as error:
                problems.extend(error.problems)
                continue
            if value is not None:
                values[key] = value
        if problems:
            raise SettingsError(problems)
        return values


class Settings(BaseSettings):
    """Base of all settings classes: frozen, built from the environment by `load`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` passes: a settings object never reads the environment by itself."""
        return (init_settings,)


S = TypeVar("S", bound=Settings)


def load(cls: type[S], environ: Mapping[str, str] | None = None) -> S:
    """Build settings of class `cls` from `environ` (default: the process environment).

    Raises:
        SettingsError: with one sentence for each wrong setting.
    """
    values = _EnvironmentSource(cls, os.environ if environ is None else environ)()
    try:
        return cls(**values)
    except ValidationError as error:
        raise SettingsError([_sentence(cls, values, item) for item in error.errors()]) from error


def load_all(needed: Sequence[tuple[type[Settings], Mapping[str, str]]]) -> None:
    """Check several settings classes, each against its variables, and report all problems at once.

    Raises:
        SettingsError: with one sentence for each wrong setting, without repetitions.
    """
    problems: dict[str, None] = {}
    for cls, environ in needed:
        try:
            load(cls, environ)
        except SettingsError as error:
            problems.update(dict.fromkeys(error.problems))
    if problems:
        raise SettingsError(list(problems))


def _sentence(cls: type[Settings], values: Mapping[str, Any], item: Any) -> str:
    location = [str(part) for part in item["loc"]]
    if not location:  # a rule between settings; its message names them
        return str(item["msg"]).removeprefix("Value error, ")
    name = location[0]
    field = cls.model_fields.get(name)
    if item["type"] == "missing":
        return f"{name.upper()} is not set: {_allowed(field)}"
    secret = field is not None and field.annotation in (SecretStr, SecretStr | None)
    value = "(hidden)" if secret else repr(values.get(name, item.get("input")))
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{name.upper()} is {value}: {message[0].lower()}{message[1:]} ({_allowed(field)})"


def _allowed(field: FieldInfo | None) -> str:
    return (field.description if field is not None else None) or "see the docs"
