"""A small OpenAPI document of read-only operations, for chat front ends that make a tool of every operation.

Its paths are routes of this API under other names. Front ends read only names, types and descriptions of parameters,
so ranges and defaults are said in words, and every type is plain.
"""

from typing import Any

from webui_api.performance import Period
from webui_api.talk.conversation import MAX_QUESTION_LENGTH


def _operation(name: str, summary: str, description: str, **more: Any) -> dict[str, Any]:
    said = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "responses": {
            "200": {"description": summary, "content": said},
            "503": {"description": "not available now; `detail` says why", "content": said},
        },
        **more,
    }


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_PERIODS = ", ".join(Period)

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "BTC trading agent: tools",
        "version": "0.1.0",
        "description": "Read-only: nothing here trades, or changes mode or settings. Quote figures as they are, with "
        "their age; `mode` dry means simulated money.",
    },
    "paths": {
        "/api/price": {
            "get": _operation(
                "btc_price",
                "Price of Bitcoin now",
                "The current price of Bitcoin in USDT: best bid, best ask, their mean, its age in seconds, and the "
                "change in 24 hours in percent.",
            )
        },
        "/api/analysis": {
            "get": _operation(
                "btc_analysis",
                "Technical analysis of Bitcoin",
                "Order book, indicators (RSI, momentum, volatility, trend, averages, volume ratio, trade flow) and the "
                "agent's own last decision with its reasons and age.",
            )
        },
        "/api/signal": {
            "get": _operation(
                "btc_signal",
                "The agent's current trading signal",
                "The agent's own last decision: BUY, SELL or HOLD, confidence from 0 to 1, the four strategies' votes, "
                "its age in seconds, and what became of it. It is no investment advice.",
            )
        },
        "/api/status": {
            "get": _operation(
                "btc_status",
                "Status of the trading agent",
                "Whether the agent works and if not why, mode (dry is simulated money, live is real), open position, "
                "result so far, and the services' signs of life.",
            )
        },
        "/api/trades": {
            "get": _operation(
                "btc_trades",
                "Recent trades of the agent",
                "Executed orders, newest first: side, price, size, fee, and for sells the net result and why.",
                parameters=[
                    _parameter("limit", "How many trades, 1 to 100; 10 if left out", {"type": "integer"}),
                ],
            )
        },
        "/api/performance": {
            "get": _operation(
                "btc_performance",
                "Trading result of the agent",
                "Profit and loss net of fees in USDT, win rate, drawdown, and what buying and holding would have made.",
                parameters=[
                    _parameter(
                        "period",
                        f"One of: {_PERIODS}. today is the UTC day so far, the others reach back from now; all if "
                        "left out",
                        {"type": "string"},
                    ),
                ],
            )
        },
        "/api/ask": {
            "post": _operation(
                "btc_ask",
                "Ask the agent a question",
                "Answers a question about price, analysis, signal, indicators, order book, status, position, trades, "
                "performance, risk settings, mode, or why the agent did or did not trade, in Portuguese or English. "
                "What it does not understand it says so, with a list of what can be asked.",
                requestBody={
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["question"],
                                "properties": {
                                    "question": {
                                        "type": "string",
                                        "description": "The question in Portuguese or English, at most "
                                        f"{MAX_QUESTION_LENGTH} characters",
                                    }
                                },
                            }
                        }
                    },
                },
            )
        },
    },
}
