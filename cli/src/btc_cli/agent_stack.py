"""What the launcher runs, as data: own servers and the five services, on KuCoin's market or a practice exchange."""

import sys
from collections.abc import Callable, Mapping

import httpx
from pydantic import Field

from btc_cli import ports, probes
from btc_cli.demo_market import PracticeMarket
from btc_cli.embedded import PostgresServer, ValkeyServer, prepare_postgres, prepare_valkey
from btc_cli.home import Home
from btc_cli.processes import ProcessSpec, Stack
from btc_cli.service_environment import common_environment, service_environment
from btc_shared.service import settings_class
from btc_shared.settings import ExchangeSettings, Settings, load, load_all

# Module and the port that it is known by; another one is taken when that is in use.
SERVICES = {
    "market-feed": ("market_feed", 8511),
    "decision-engine": ("decision_engine", 8512),
    "executor": ("executor", 8513),
    "webui-api": ("webui_api", 8510),
    "exporter": ("exporter", 9092),
}
CONTROL_TOKEN = "control_token"  # noqa: S105 - the name of the file in <home>/secrets
# A practice run, whatever the environment says: nobody's keys, never real orders, and a page that is open here.
_WITHHELD_FROM_PRACTICE = ("kucoin_", "allow_live", "api_token")
_NEED_EXCHANGE = ("market-feed", "decision-engine", "executor")
_POSTGRES_STOP_SECS = 30.0


class PortSettings(Settings):
    """Where a person finds what is open to this machine; the names are those of docker-compose.yml."""

    webui_port: int | None = Field(
        None, ge=0, le=65_535, description="port of the web API, 0 to 65535; 0: any free one"
    )
    exporter_port: int | None = Field(
        None, ge=0, le=65_535, description="port of the mode switch and the metrics, 0 to 65535; 0: any free one"
    )


def agent_stack(
    home: Home,
    practice: PracticeMarket | None,
    environ: Mapping[str, str],
    client: httpx.AsyncClient,
    say: Callable[[str], None],
) -> Stack:
    """Prepare everything that the processes need (folders, passwords, ports, an empty database) and describe them.

    With `practice` a practice exchange is one of the processes, else the exchange is what the settings say: KuCoin.

    Raises:
        SettingsError: when a service's settings are wrong; nothing has been prepared then but folders.
        EmbeddedError, HomeError, PortError: when a server, the home or a demanded port cannot be used.
    """
    home.create()
    used = {name: usual for name, (_, usual) in SERVICES.items()}
    sim_port = 0 if practice is None else home.port("kucoin-sim")
    fixed = _fixed_settings(home, practice, sim_port, environ)

    def environment_of(name: str) -> dict[str, str]:
        fields = list(settings_class(SERVICES[name][0]).model_fields)
        withheld = _WITHHELD_FROM_PRACTICE if practice is not None else ()
        # For its links the web API asks for the exporter's port, and for Grafana's, which is not here.
        own = {"PORT": str(used[name]), "EXPORTER_PORT": str(used["exporter"]), "GRAFANA_PORT": "0"}
        return service_environment(fields, environ, {**fixed, **own}, withheld=withheld)

    say("checking the settings")
    services_settings = [(settings_class(module), environment_of(name)) for name, (module, _) in SERVICES.items()]
    load_all([(PortSettings, environ), *services_settings])
    remarks = _choose_ports(home, used, load(PortSettings, environ))
    say("preparing the database")
    postgres, valkey = prepare_postgres(home), prepare_valkey(home)
    fixed |= {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}

    common = common_environment(environ)
    migrate = ProcessSpec(
        "migrate", _python("btc_shared.db", "migrate"), {**common, "DATABASE_URL": postgres.url}, runs_once=True
    )
    servers = [postgres_process(postgres), valkey_process(valkey)]
    if practice is not None:
        servers.append(_practice_exchange(practice, sim_port, common, client))
    services = [
        ProcessSpec(
            name,
            _python(module),
            environment_of(name),
            probe=probes.http_health(client, f"http://127.0.0.1:{used[name]}/health"),
            port=used[name],
            needs_exchange=name in _NEED_EXCHANGE and practice is None,
        )
        for name, (module, _) in SERVICES.items()
    ]
    return Stack(
        stages=[servers, [migrate], services],
        addresses={
            "web api": f"http://127.0.0.1:{used['webui-api']}",
            "mode and metrics": f"http://127.0.0.1:{used['exporter']}/mode",
        },
        remarks=remarks,
        ask_exchange=probes.exchange(_exchange_address(environ)) if practice is None else None,
    )


def _fixed_settings(
    home: Home, practice: PracticeMarket | None, sim_port: int, environ: Mapping[str, str]
) -> dict[str, str]:
    """What the environment cannot change. The addresses of the servers are complete once those are prepared."""
    fixed = {
        "BIND_HOST": "127.0.0.1",
        "DATABASE_URL": "postgresql://agent@127.0.0.1/agent",
        "REDIS_URL": "redis://127.0.0.1",
    }
    if practice is not None:
        fixed |= {
            "VENUE": "practice",
            "SYMBOL": practice.symbol,
            "KUCOIN_BASE_URL": f"http://127.0.0.1:{sim_port}",
        }
    if not environ.get("CONTROL_TOKEN") and not environ.get("CONTROL_TOKEN_FILE"):
        fixed["CONTROL_TOKEN_FILE"] = str(home.secret(CONTROL_TOKEN))
    return fixed


def _exchange_address(environ: Mapping[str, str]) -> str:
    """Where the settings say that the exchange is; they have been checked."""
    fields = list(ExchangeSettings.model_fields)
    return load(ExchangeSettings, service_environment(fields, environ, {})).kucoin_base_url


def _choose_ports(home: Home, used: dict[str, int], demanded: PortSettings) -> list[str]:
    """Put free ports into `used`; returns a remark for each that a person opens and may look for elsewhere."""
    by_name = {
        "webui-api": ("WEBUI_PORT", demanded.webui_port),
        "exporter": ("EXPORTER_PORT", demanded.exporter_port),
    }
    remarks = []
    for name, (_, usual) in SERVICES.items():
        if name in by_name:
            variable, wanted = by_name[name]
            used[name], remark = ports.choose(home, name, usual, wanted, variable)
            remarks.append(remark)
        else:
            used[name] = home.port(name, usual)
    return [remark for remark in remarks if remark]


def _practice_exchange(
    practice: PracticeMarket, port: int, environment: Mapping[str, str], client: httpx.AsyncClient
) -> ProcessSpec:
    market = ["--market", practice.market, "--symbols", practice.symbol]
    market += [] if practice.seed is None else ["--seed", str(practice.seed)]
    return ProcessSpec(
        "kucoin-sim",
        _python("kucoin_sim", "--port", str(port), *market),
        environment,
        probe=probes.http_health(client, f"http://127.0.0.1:{port}/health"),
        port=port,
    )


def postgres_process(server: PostgresServer) -> ProcessSpec:
    """The supervised database server. Killed with its supervisor, it still ends in order."""
    return ProcessSpec(
        server.name,
        server.command,
        server.environment,
        probe=probes.runs_queries(server.url, server.is_ready, server.data),
        port=server.port,
        account=server.account,
        stop_signal=server.stop_signal,
        stop_secs=_POSTGRES_STOP_SECS,
        abort_signal=server.abort_signal,
        death_signal=server.stop_signal,
        advice=f"if its data is damaged, put a saved copy in the place of {server.data}, or move that away to start "
        "with an empty ledger",
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
