"""The command line. Each command is a module of its own and imports what it needs when it is called."""

import sys

import typer

from btc_cli.commands import demo, down, logs, status, test, up

app = typer.Typer(
    name="agent",
    help="A Bitcoin trading agent for KuCoin. Start with: ./agent demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("status")(status.status)
app.command("logs")(logs.logs)
app.command("down")(down.down)
app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(test.run_all)


def main() -> None:
    """Run the command; what a person can mend is said in one line instead of a traceback."""
    from btc_cli import disk
    from btc_cli.docker import DockerError
    from btc_cli.embedded.errors import EmbeddedError
    from btc_cli.home import HomeError
    from btc_cli.installation import UsageError
    from btc_cli.state import AlreadyRunningError

    try:
        app(prog_name="./agent")
    except UsageError as error:
        print(f"agent: {error}", file=sys.stderr)
        sys.exit(2)
    except (AlreadyRunningError, DockerError, EmbeddedError, HomeError, TimeoutError) as error:
        print(f"agent: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if not disk.is_full(error):
            raise
        print(f"agent: {disk.full_sentence(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
