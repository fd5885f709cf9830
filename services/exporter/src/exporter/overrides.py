"""Run-time settings: checking a set of changes as a whole, and showing what is in effect. Pure."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from btc_shared.settings import EngineSettings, RiskSettings, Settings, SettingsError
from btc_shared.settings.runtime import RuntimeSettings, effective

GROUPS: dict[str, type[Settings]] = {"risk": RiskSettings, "engine": EngineSettings}
NAMES = frozenset(name for cls in GROUPS.values() for name in cls.model_fields)


def parse_changes(body: bytes) -> dict[str, object]:
    """The body of `PATCH /config`: a JSON object, name → value or null. Numbers keep their digits.

    Raises:
        SettingsError: it is something else.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise SettingsError([f"{name} is given more than once: keep one of them" for name in repeated])
        return dict(pairs)

    try:
        changes = json.loads(body, parse_float=Decimal, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise SettingsError([f"the body is not JSON: {error}"]) from error
    if not isinstance(changes, dict) or not changes:
        raise SettingsError(
            ['the body must be a JSON object with one setting or more, such as {"stop_loss_pct": 0.02}']
        )
    return changes


def merged(
    stored: Mapping[str, str], changes: Mapping[str, object], risk: RiskSettings, engine: EngineSettings
) -> dict[str, str]:
    """`stored` with `changes` (None unsets) when all settings that would then be in effect are valid together.

    Raises:
        SettingsError: with one sentence for each change that is wrong.
    """
    result = dict(stored)
    problems: list[str] = []
    for name, value in changes.items():
        if name not in NAMES and name not in stored:
            problems.append(f"{name} is not a setting that can be changed at run time; GET /config lists them")
        elif value is None:
            result.pop(name, None)
        elif name not in NAMES:
            problems.append(f"{name} is a setting of another version: it can only be unset, with null")
        elif isinstance(value, bool) or not isinstance(value, int | float | Decimal | str) or not str(value).strip():
            problems.append(f"{name} is {json.dumps(value, default=str)}: must be a number, or null to unset it")
        else:
            result[name] = str(value).strip()
    for cls, environment in ((RiskSettings, risk), (EngineSettings, engine)):
        try:
            effective(cls, environment, result)
        except SettingsError as error:
            problems.extend(error.problems)
    if problems:
        raise SettingsError(problems)
    return result


def described(runtime: RuntimeSettings) -> dict[str, dict[str, Any]]:
    """Every setting that can be changed at run time: its value in effect, where that comes from, and its default."""
    result: dict[str, dict[str, Any]] = {}
    groups: tuple[tuple[str, Settings, Settings], ...] = (
        ("risk", runtime.risk, runtime.environment_risk),
        ("engine", runtime.engine, runtime.environment_engine),
    )
    for group, current, environment in groups:
        for name, field in type(current).model_fields.items():
            result[name] = {
                "value": _json_number(getattr(current, name)),
                "source": _source(name, runtime, environment),
                "default": _json_number(field.default),
                "group": group,
                "description": field.description,
            }
    return result


def _source(name: str, runtime: RuntimeSettings, environment: Settings) -> str:
    problems = runtime.risk_problems if isinstance(environment, RiskSettings) else runtime.engine_problems
    if name in runtime.overrides and not problems:
        return "run-time"
    return "environment" if name in environment.model_fields_set else "default"


def _json_number(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
