"""KuCoin's spot API: wire formats, REST client, WebSocket session, server clock.

`errors` says how to react to what goes wrong; `frames` and `answers` turn wire text into records; `rest.PublicClient`
asks, `socket.Socket` listens, `server_clock.ServerClock` knows the exchange's time.
"""
