"""Our own no: a code from the closed list, and the sentence with the numbers."""

import msgspec

from btc_shared.codes import Refusal


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order is not placed. `code` is stored and counted, `detail` is for people."""

    code: Refusal
    detail: str
