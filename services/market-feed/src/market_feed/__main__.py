"""`python -m market_feed`."""

import sys

from btc_shared import service
from btc_shared.codes import ServiceName
from market_feed.app import main
from market_feed.settings import MarketFeedSettings

if __name__ == "__main__":
    sys.exit(service.start(ServiceName.MARKET_FEED, MarketFeedSettings, main))
