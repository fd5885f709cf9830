"""The traded pairs and their rules, as KuCoin publishes them."""

from dataclasses import dataclass

from kucoin_sim.fixed import to_text


@dataclass(frozen=True, slots=True)
class Instrument:
    """A spot pair. Decimals are those of the increments: one price unit is 10^-`price_decimals`."""

    symbol: str
    price_decimals: int
    size_decimals: int
    funds_decimals: int
    minimum_size: str
    reference_price: float
    """A plausible price in quote currency, where a generated market may start."""

    @property
    def base(self) -> str:
        return self.symbol.split("-")[0]

    @property
    def quote(self) -> str:
        return self.symbol.split("-")[1]

    @property
    def turnover_decimals(self) -> int:
        return self.price_decimals + self.size_decimals

    def price_text(self, units: int) -> str:
        return to_text(units, self.price_decimals)

    def size_text(self, units: int) -> str:
        return to_text(units, self.size_decimals)

    def turnover_text(self, units: int) -> str:
        return to_text(units, self.turnover_decimals)

    def symbol_object(self) -> dict[str, object]:
        """The answer of GET /api/v2/symbols/{symbol}."""
        return {
            "symbol": self.symbol,
            "name": self.symbol,
            "baseCurrency": self.base,
            "quoteCurrency": self.quote,
            "feeCurrency": self.quote,
            "market": "USDS",
            "baseMinSize": self.minimum_size,
            "quoteMinSize": "0.1",
            "baseMaxSize": "10000000000",
            "quoteMaxSize": "99999999",
            "baseIncrement": to_text(1, self.size_decimals),
            "quoteIncrement": to_text(1, self.funds_decimals),
            "priceIncrement": to_text(1, self.price_decimals),
            "priceLimitRate": "0.1",
            "minFunds": "0.1",
            "isMarginEnabled": True,
            "enableTrading": True,
            "feeCategory": 1,
            "makerFeeCoefficient": "1.00",
            "takerFeeCoefficient": "1.00",
            "st": False,
            "callauctionIsEnabled": False,
            "callauctionPriceFloor": None,
            "callauctionPriceCeiling": None,
            "callauctionFirstStageStartTime": None,
            "callauctionSecondStageStartTime": None,
            "callauctionThirdStageStartTime": None,
            "tradingStartTime": None,
        }


INSTRUMENTS = {
    instrument.symbol: instrument
    for instrument in (
        Instrument("BTC-USDT", 1, 8, 6, "0.00001", 60_000.0),
        Instrument("ETH-USDT", 2, 7, 6, "0.0001", 2_500.0),
    )
}
