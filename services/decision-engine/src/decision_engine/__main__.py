"""`python -m decision_engine`."""

import sys

from btc_shared import service
from btc_shared.codes import ServiceName
from decision_engine.app import main
from decision_engine.settings import DecisionEngineSettings

if __name__ == "__main__":
    sys.exit(service.start(ServiceName.DECISION_ENGINE, DecisionEngineSettings, main))
