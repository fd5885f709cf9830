"""`agent down`: stop what runs and wait until every process of it is gone."""

import sys

from btc_cli.commands.options import HomeOption, JsonOption


def down(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Stop what the launcher runs. All data is kept."""
    from btc_cli.docker import PROJECTS, DockerProject
    from btc_cli.installation import UsageError, find, launcher_runs
    from btc_cli.session import anything_runs, stop_running

    runs = launcher_runs(home)
    left = [one for one in runs if one.state is not None and anything_runs(one.state)]
    if len(left) > 1:
        raise UsageError(f"more than one runs, say which: {' or '.join(f'./agent down {one.option}' for one in left)}")
    place = (left or runs)[0].home
    stopped = stop_running(place, lambda text: print(text, file=sys.stderr))
    if as_json:
        print('{"stopped": true}' if stopped else '{"stopped": false}')
    elif stopped:
        print(f"stopped; everything is kept in {place.path}")
    else:
        print(f"nothing to stop {' or '.join(one.where for one in runs)}")
    if stopped:
        return
    for other in find(home, None).running():
        if isinstance(other, DockerProject):
            text = f"still running {other.where}: stop that in the checkout with {PROJECTS[other.name]}"
            print(text, file=sys.stderr if as_json else sys.stdout)
