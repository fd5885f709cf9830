"""`python -m webui_api`"""

import sys

from btc_shared import service
from btc_shared.codes import ServiceName
from webui_api.app import main
from webui_api.settings import WebuiSettings

if __name__ == "__main__":
    sys.exit(service.start(ServiceName.WEBUI_API, WebuiSettings, main))
