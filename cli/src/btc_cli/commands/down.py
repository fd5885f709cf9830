"""`agent down`: stop what runs and wait until every process of it is gone."""

import sys

from btc_cli.commands.options import HomeOption, JsonOption


def down(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Stop what the launcher runs. All data is kept."""
    from btc_cli.docker import PROJECTS, DockerProject
    from btc_cli.home import Home, default_home
    from btc_cli.installation import find
    from btc_cli.session import stop_running

    place = Home((home or default_home("demo")).absolute())
    stopped = stop_running(place, lambda text: print(text, file=sys.stderr))
    if as_json:
        print('{"stopped": true}' if stopped else '{"stopped": false}')
    else:
        print(f"stopped; everything is kept in {place.path}" if stopped else f"nothing to stop on {place.path}")
    if stopped:
        return
    for other in find(home, None).running():
        if isinstance(other, DockerProject):
            text = f"still running {other.where}: stop that in the checkout with {PROJECTS[other.name]}"
            print(text, file=sys.stderr if as_json else sys.stdout)
