"""The demo as data: own servers, the practice exchange, and the five services with simulated money."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from btc_cli import demo_market, probes
from btc_cli.embedded import PostgresServer, ValkeyServer, prepare_postgres, prepare_valkey
from btc_cli.home import Home
from btc_cli.processes import ProcessSpec, Stack
from btc_cli.service_environment import common_environment, service_environment
from btc_shared.service import settings_class
from btc_shared.settings import load_all

# Module and the port that it is known by; another one is taken when that is in use.
SERVICES = {
    "market-feed": ("market_feed", 8511),
    "decision-engine": ("decision_engine", 8512),
    "executor": ("executor", 8513),
    "webui-api": ("webui_api", 8510),
    "exporter": ("exporter", 9092),
}
CONTROL_TOKEN = "control_token"  # noqa: S105 - the name of the file in <home>/secrets
# Whatever the environment says: nobody's keys, never real orders, and a page that is open on this machine.
_WITHHELD = ("kucoin_", "allow_live", "api_token")
_POSTGRES_STOP_SECS = 30.0


@dataclass(frozen=True)
class DemoOptions:
    """What the practice market is like. The practice exchange checks `market` and `seed` itself."""

    symbol: str = "BTC-USDT"
    market: str = demo_market.PRESET
    seed: int = demo_market.SEED


def demo_stack(
    home: Home,
    options: DemoOptions,
    environ: Mapping[str, str],
    client: httpx.AsyncClient,
    say: Callable[[str], None],
) -> Stack:
    """Prepare everything that the processes need (folders, passwords, ports, an empty database) and describe them.

    Raises:
        SettingsError: when a service's settings are wrong; nothing has been prepared then but folders.
        EmbeddedError, HomeError: when a server or the home cannot be used.
    """
    home.create()
    ports = {name: home.port(name, preferred) for name, (_, preferred) in SERVICES.items()}
    sim_port = home.port("kucoin-sim")
    fixed = {
        "VENUE": "practice",
        "SYMBOL": options.symbol,
        "KUCOIN_BASE_URL": f"http://127.0.0.1:{sim_port}",
        "BIND_HOST": "127.0.0.1",
        "CONTROL_TOKEN_FILE": str(home.secret(CONTROL_TOKEN)),
        "DATABASE_URL": "postgresql://agent@127.0.0.1/agent",  # complete once the server is prepared
        "REDIS_URL": "redis://127.0.0.1",
    }

    def environment_of(name: str) -> dict[str, str]:
        fields = list(settings_class(SERVICES[name][0]).model_fields)
        return service_environment(fields, environ, {**fixed, "PORT": str(ports[name])}, withheld=_WITHHELD)

    say("checking the settings")
    load_all([(settings_class(module), environment_of(name)) for name, (module, _) in SERVICES.items()])
    say("preparing the database")
    postgres, valkey = prepare_postgres(home), prepare_valkey(home)
    fixed |= {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}

    common = common_environment(environ)
    migrate = ProcessSpec(
        "migrate", _python("btc_shared.db", "migrate"), {**common, "DATABASE_URL": postgres.url}, runs_once=True
    )
    market = ["--market", options.market, "--seed", str(options.seed), "--symbols", options.symbol]
    sim = ProcessSpec(
        "kucoin-sim",
        _python("kucoin_sim", "--port", str(sim_port), *market),
        common,
        probe=probes.http_health(client, f"http://127.0.0.1:{sim_port}/health"),
        port=sim_port,
    )
    services = [
        ProcessSpec(
            name,
            _python(module),
            environment_of(name),
            probe=probes.http_health(client, f"http://127.0.0.1:{ports[name]}/health"),
            port=ports[name],
        )
        for name, (module, _) in SERVICES.items()
    ]
    return Stack(
        stages=[[postgres_process(postgres), valkey_process(valkey), sim], [migrate], services],
        addresses={
            "web api": f"http://127.0.0.1:{ports['webui-api']}",
            "mode and metrics": f"http://127.0.0.1:{ports['exporter']}/mode",
        },
    )


def postgres_process(server: PostgresServer) -> ProcessSpec:
    """The supervised database server. Killed with its supervisor, it still ends in order."""
    return ProcessSpec(
        server.name,
        server.command,
        server.environment,
        probe=probes.runs_queries(server.url, server.is_ready),
        port=server.port,
        account=server.account,
        stop_signal=server.stop_signal,
        stop_secs=_POSTGRES_STOP_SECS,
        abort_signal=server.abort_signal,
        death_signal=server.stop_signal,
    )


def valkey_process(server: ValkeyServer) -> ProcessSpec:
    """The supervised stream server."""
    return ProcessSpec(
        server.name,
        server.command,
        server.environment,
        probe=probes.answers(server.is_ready),
        port=server.port,
        stop_signal=server.stop_signal,
    )


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", module, *arguments]
