"""Settings changed at run time: they win over the environment until they are unset.

The exporter's `PATCH /config` writes them to `runtime_settings` (name → text), validated as a whole. The executor and
the decision engine call `RuntimeSettings.refresh` on a connection of theirs and then read `.risk` and `.engine`.
"""

from collections.abc import Mapping
from typing import TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from btc_shared.db.models import RuntimeSettingsRow
from btc_shared.settings.base import Settings, SettingsError, load
from btc_shared.settings.trading import EngineSettings, RiskSettings

log = structlog.get_logger(__name__)

S = TypeVar("S", bound=Settings)


def part(cls: type[S], settings: Settings) -> S:
    """The settings of class `cls` that a service's `settings` (which inherit from `cls`) hold.

    What the environment set stays marked as set, so that its source can be told.
    """
    return cls(**{name: getattr(settings, name) for name in cls.model_fields if name in settings.model_fields_set})


def effective(cls: type[S], environment: S, overrides: Mapping[str, str]) -> S:
    """`environment` with `overrides` (name → text) on top; names that `cls` does not have are not its business.

    Raises:
        SettingsError: with one sentence for each setting that would be wrong.
    """
    values = {name.upper(): str(getattr(environment, name)) for name in environment.model_fields_set}
    values |= {name.upper(): text for name, text in overrides.items() if name in cls.model_fields}
    return load(cls, values)


class RuntimeSettings:
    """The settings in effect: environment and run-time values together.

    `version` is the stored one that was looked at last (0: never changed). `risk_problems` and `engine_problems` are
    empty unless the stored values do not fit this program or environment; then the last good settings of that group
    stay in effect, and whoever opens positions should stop doing so until the values are corrected. A service that
    knows only one group gives defaults for the other and ignores its problems.
    """

    def __init__(self, venue: str, risk: RiskSettings, engine: EngineSettings) -> None:
        self._venue = venue
        self.environment_risk, self.environment_engine = risk, engine
        self.risk, self.engine = risk, engine
        self.version = 0
        self.overrides: dict[str, str] = {}
        self.risk_problems: tuple[str, ...] = ()
        self.engine_problems: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong with the stored values."""
        return (*self.risk_problems, *self.engine_problems)

    async def refresh(self, connection: AsyncConnection) -> bool:
        """Read the stored values; return True when the settings in effect changed.

        Raises:
            SQLAlchemyError, OSError: the database could not be read; the settings stay as they are.
        """
        row = (
            await connection.execute(
                select(RuntimeSettingsRow.version, RuntimeSettingsRow.values).where(
                    RuntimeSettingsRow.venue == self._venue
                )
            )
        ).one_or_none()
        return self.apply(row[0], row[1]) if row is not None else self.apply(0, {})

    def apply(self, version: int, overrides: Mapping[str, str]) -> bool:
        """Take over stored values; return True when the settings in effect changed."""
        if version == self.version and overrides == self.overrides:
            return False
        self.version, self.overrides = version, dict(overrides)
        before = (self.risk, self.engine)
        # Each group on its own: a wrong weight must not keep a tighter stop loss from being used.
        try:
            self.risk, self.risk_problems = effective(RiskSettings, self.environment_risk, overrides), ()
        except SettingsError as error:
            self.risk_problems = error.problems
        try:
            self.engine, self.engine_problems = effective(EngineSettings, self.environment_engine, overrides), ()
        except SettingsError as error:
            self.engine_problems = error.problems
        if self.problems:
            log.error("runtime_settings_refused", version=version, problems=self.problems)
        changed = (self.risk, self.engine) != before
        if changed:
            log.info("runtime_settings_applied", version=version, overrides=dict(overrides))
        return changed
