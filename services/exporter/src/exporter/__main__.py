"""`python -m exporter`"""

import sys

from btc_shared import service
from btc_shared.codes import ServiceName
from exporter.app import main
from exporter.settings import ExporterSettings

if __name__ == "__main__":
    sys.exit(service.start(ServiceName.EXPORTER, ExporterSettings, main))
