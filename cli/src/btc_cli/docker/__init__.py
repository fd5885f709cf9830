"""An installation that Docker Compose runs, seen through the command `docker`: only looked at, never changed.

It asks for containers by Compose's labels and reads each container's log by itself, so that it needs neither the
compose file nor its variables, works in any folder, and does not depend on how a version of Compose prints things.
"""

from btc_cli.docker.command import DockerAbsentError, DockerError
from btc_cli.docker.project import PROJECTS, DockerProject, projects

__all__ = ["PROJECTS", "DockerAbsentError", "DockerError", "DockerProject", "projects"]
