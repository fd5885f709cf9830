"""`python -m executor`."""

import sys

from btc_shared import service
from btc_shared.codes import ServiceName
from executor.app import main
from executor.settings import ExecutorSettings

if __name__ == "__main__":
    sys.exit(service.start(ServiceName.EXECUTOR, ExecutorSettings, main))
