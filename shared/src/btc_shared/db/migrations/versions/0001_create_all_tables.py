"""Create all tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("initial_balance", sa.Numeric(), nullable=False),
        sa.Column("cash", sa.Numeric(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cash >= 0", name=op.f("ck_accounts_never_negative")),
        sa.PrimaryKeyConstraint("venue", "account", "mode", name=op.f("pk_accounts")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_value", sa.Text(), nullable=True),
        sa.Column("to_value", sa.Text(), nullable=True),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('mode', 'effective_mode', 'halt', 'resume', 'settings')", name=op.f("ck_audit_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "candles",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("open_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open", sa.Numeric(), nullable=False),
        sa.Column("high", sa.Numeric(), nullable=False),
        sa.Column("low", sa.Numeric(), nullable=False),
        sa.Column("close", sa.Numeric(), nullable=False),
        sa.Column("volume", sa.Numeric(), nullable=False),
        sa.Column("turnover", sa.Numeric(), nullable=False),
        sa.Column("filled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("corrections", sa.Integer(), server_default="0", nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "low <= open AND low <= close AND high >= open AND high >= close AND low > 0", name=op.f("ck_candles_ohlc")
        ),
        sa.CheckConstraint("volume >= 0 AND turnover >= 0", name=op.f("ck_candles_volume")),
        sa.PrimaryKeyConstraint("venue", "symbol", "open_time", name=op.f("pk_candles")),
    )
    op.create_table(
        "control",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("requested_mode", sa.Text(), nullable=False),
        sa.Column("halted", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("requested_mode IN ('dry', 'live')", name=op.f("ck_control_mode")),
        sa.PrimaryKeyConstraint("venue", name=op.f("pk_control")),
    )
    op.create_table(
        "days",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("loss_latched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("loss_at_latch", sa.Numeric(), nullable=True),
        sa.PrimaryKeyConstraint("venue", "account", "mode", "day", name=op.f("pk_days")),
    )
    op.create_table(
        "decision_totals",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("decisions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("venue", "symbol", "action", name=op.f("pk_decision_totals")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("bar_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("price", sa.Numeric(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("agreement", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("score_technical", sa.Double(), nullable=True),
        sa.Column("score_orderbook", sa.Double(), nullable=True),
        sa.Column("score_flow", sa.Double(), nullable=True),
        sa.Column("score_qlearning", sa.Double(), nullable=True),
        sa.Column("weights", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("in_position", sa.Boolean(), nullable=False),
        sa.Column("explored", sa.Boolean(), nullable=False),
        sa.Column("settings_version", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.UUID(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("outcome_code", sa.Text(), nullable=True),
        sa.Column("outcome_detail", sa.Text(), nullable=True),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("action IN ('BUY', 'SELL', 'HOLD')", name=op.f("ck_decisions_action")),
        sa.CheckConstraint("mode IN ('dry', 'live')", name=op.f("ck_decisions_mode")),
        sa.CheckConstraint("outcome IN ('executed', 'refused', 'failed')", name=op.f("ck_decisions_outcome")),
        sa.CheckConstraint("trigger IN ('poll', 'bar')", name=op.f("ck_decisions_trigger")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_decisions_decision_id")),
        sa.UniqueConstraint("signal_id", name=op.f("uq_decisions_signal_id")),
    )
    op.create_index(
        "ix_decisions_newest", "decisions", ["venue", "symbol", sa.literal_column("decided_at DESC")], unique=False
    )
    op.create_table(
        "heartbeats",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("effective_mode", sa.Text(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("status IN ('starting', 'healthy', 'degraded')", name=op.f("ck_heartbeats_status")),
        sa.PrimaryKeyConstraint("venue", "service", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "market_state",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("book_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bid", sa.Numeric(), nullable=False),
        sa.Column("ask", sa.Numeric(), nullable=False),
        sa.Column("bid_volume", sa.Numeric(), nullable=False),
        sa.Column("ask_volume", sa.Numeric(), nullable=False),
        sa.Column("imbalance", sa.Double(), nullable=False),
        sa.Column("spread_bp", sa.Double(), nullable=False),
        sa.Column("flow", sa.Double(), nullable=True),
        sa.Column("last_trade_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_trade_price", sa.Numeric(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("bid > 0 AND ask >= bid", name=op.f("ck_market_state_prices")),
        sa.PrimaryKeyConstraint("venue", "symbol", name=op.f("pk_market_state")),
    )
    op.create_table(
        "orders",
        sa.Column("intent_id", sa.UUID(), nullable=False),
        sa.Column("client_oid", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("from_signal", sa.Boolean(), nullable=False),
        sa.Column("signal_id", sa.UUID(), nullable=True),
        sa.Column("decision_id", sa.UUID(), nullable=True),
        sa.Column("round_trip_id", sa.UUID(), nullable=False),
        sa.Column("requested_funds", sa.Numeric(), nullable=True),
        sa.Column("requested_size", sa.Numeric(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("exchange_order_id", sa.Text(), nullable=True),
        sa.Column("filled_size", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("filled_funds", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("fee", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(side = 'sell') = (exit_reason IS NOT NULL)", name=op.f("ck_orders_sells_have_reasons")),
        sa.CheckConstraint("mode IN ('dry', 'live')", name=op.f("ck_orders_mode")),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_orders_side")),
        sa.CheckConstraint(
            "state IN ('intent', 'sent', 'acknowledged', 'unknown', 'filled', 'partly_filled', 'cancelled', 'rejected', 'absent')",
            name=op.f("ck_orders_state"),
        ),
        sa.CheckConstraint(
            "(requested_funds IS NULL) <> (requested_size IS NULL)", name=op.f("ck_orders_funds_or_size")
        ),
        sa.PrimaryKeyConstraint("intent_id", name=op.f("pk_orders")),
        sa.UniqueConstraint("client_oid", name=op.f("uq_orders_client_oid")),
        sa.UniqueConstraint("signal_id", name=op.f("uq_orders_signal_id")),
    )
    op.create_index(
        "ix_orders_open",
        "orders",
        ["venue", "account", "mode", "symbol"],
        unique=False,
        postgresql_where=sa.text("state IN ('intent', 'sent', 'acknowledged', 'unknown')"),
    )
    op.create_index(
        "uq_orders_open_signal_intent",
        "orders",
        ["venue", "account", "mode", "symbol"],
        unique=True,
        postgresql_where=sa.text(
            "(side = 'buy' OR from_signal) AND state IN ('intent', 'sent', 'acknowledged', 'unknown')"
        ),
    )
    op.create_table(
        "positions",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("round_trip_id", sa.UUID(), nullable=False),
        sa.Column("size", sa.Numeric(), nullable=False),
        sa.Column("entry_price", sa.Numeric(), nullable=False),
        sa.Column("entry_size", sa.Numeric(), nullable=False),
        sa.Column("entry_funds", sa.Numeric(), nullable=False),
        sa.Column("entry_fee", sa.Numeric(), nullable=False),
        sa.Column("exit_size", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("exit_funds", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("exit_fee", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("realised_pnl", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("high_bid", sa.Numeric(), nullable=False),
        sa.Column("trailing_armed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("partial_done", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("exit_reasons", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("open_funds", sa.Numeric(), nullable=False),
        sa.Column("open_fee", sa.Numeric(), nullable=False),
        sa.Column("entry_intent_id", sa.UUID(), nullable=False),
        sa.Column("entry_decision_id", sa.UUID(), nullable=True),
        sa.Column("entry_signal_id", sa.UUID(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_fill_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size > 0 AND entry_price > 0", name=op.f("ck_positions_open")),
        sa.PrimaryKeyConstraint("venue", "account", "mode", "symbol", name=op.f("pk_positions")),
        sa.UniqueConstraint("round_trip_id", name=op.f("uq_positions_round_trip_id")),
    )
    op.create_table(
        "preflights",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("venue", name=op.f("pk_preflights")),
    )
    op.create_table(
        "q_tables",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_round_trip", sa.BigInteger(), nullable=False),
        sa.Column("episodes", sa.BigInteger(), nullable=False),
        sa.Column("total_reward_bp", sa.Double(), nullable=False),
        sa.Column("table", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("venue", "symbol", name=op.f("pk_q_tables")),
    )
    op.create_table(
        "refusal_totals",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("refusals", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "code IN ('invalid_signal', 'unknown_symbol', 'stale_signal', 'mode_changed', 'not_running', 'halted', 'degraded', 'unprotected', 'in_position', 'no_position', 'order_in_flight', 'stale_market', 'low_confidence', 'cooldown', 'daily_trade_limit', 'daily_loss_limit', 'insufficient_funds', 'amount_too_small')",
            name=op.f("ck_refusal_totals_code"),
        ),
        sa.PrimaryKeyConstraint("venue", "account", "mode", "code", name=op.f("pk_refusal_totals")),
    )
    op.create_table(
        "round_trips",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("round_trip_id", sa.UUID(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("entry_decision_id", sa.UUID(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry_size", sa.Numeric(), nullable=False),
        sa.Column("entry_funds", sa.Numeric(), nullable=False),
        sa.Column("exit_funds", sa.Numeric(), nullable=False),
        sa.Column("fees", sa.Numeric(), nullable=False),
        sa.Column("dust", sa.Numeric(), nullable=False),
        sa.Column("net_pnl", sa.Numeric(), nullable=False),
        sa.Column("net_bp", sa.Double(), nullable=False),
        sa.Column("exit_reasons", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_trips")),
        sa.UniqueConstraint("round_trip_id", name=op.f("uq_round_trips_round_trip_id")),
    )
    op.create_index(
        "ix_round_trips_closed", "round_trips", ["venue", "account", "mode", "symbol", "closed_at"], unique=False
    )
    op.create_table(
        "runtime_settings",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("values", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("venue", name=op.f("pk_runtime_settings")),
    )
    op.create_table(
        "signal_outcomes",
        sa.Column("signal_id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=True),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(outcome = 'refused') = (code IS NOT NULL)", name=op.f("ck_signal_outcomes_refusals_have_codes")
        ),
        sa.CheckConstraint(
            "code IN ('invalid_signal', 'unknown_symbol', 'stale_signal', 'mode_changed', 'not_running', 'halted', 'degraded', 'unprotected', 'in_position', 'no_position', 'order_in_flight', 'stale_market', 'low_confidence', 'cooldown', 'daily_trade_limit', 'daily_loss_limit', 'insufficient_funds', 'amount_too_small')",
            name=op.f("ck_signal_outcomes_code"),
        ),
        sa.CheckConstraint("outcome IN ('intent', 'refused')", name=op.f("ck_signal_outcomes_outcome")),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_signal_outcomes")),
    )
    op.create_index(
        "ix_signal_outcomes_newest",
        "signal_outcomes",
        ["venue", "account", "mode", sa.literal_column("consumed_at DESC")],
        unique=False,
    )
    op.create_table(
        "symbols",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("venue", "symbol", name=op.f("pk_symbols")),
    )
    op.create_table(
        "totals",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("buys", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sells", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("winning", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("losing", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("realised_pnl", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("closed_pnl", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("best_pnl", sa.Numeric(), nullable=True),
        sa.Column("worst_pnl", sa.Numeric(), nullable=True),
        sa.Column("fees", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("dust", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("exit_stop_loss", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("exit_take_profit", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("exit_partial_exit", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("exit_trailing_stop", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("exit_signal", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("exit_manual", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("venue", "account", "mode", "symbol", name=op.f("pk_totals")),
    )
    op.create_table(
        "bookings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("intent_id", sa.UUID(), nullable=False),
        sa.Column("fill_id", sa.Text(), nullable=True),
        sa.Column("round_trip_id", sa.UUID(), nullable=False),
        sa.Column("realised", sa.Numeric(), nullable=False),
        sa.Column("dust", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("booked_for", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["intent_id"], ["orders.intent_id"], name=op.f("fk_bookings_intent_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
        sa.UniqueConstraint(
            "venue", "account", "mode", "symbol", "fill_id", name=op.f("uq_bookings_venue_account_mode_symbol_fill_id")
        ),
    )
    op.create_index("ix_bookings_time", "bookings", ["venue", "account", "mode", "booked_for"], unique=False)
    op.create_table(
        "fills",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("fill_id", sa.Text(), nullable=False),
        sa.Column("intent_id", sa.UUID(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("size", sa.Numeric(), nullable=False),
        sa.Column("funds", sa.Numeric(), nullable=False),
        sa.Column("fee", sa.Numeric(), nullable=False),
        sa.Column("fee_currency", sa.Text(), nullable=False),
        sa.Column("fee_quote", sa.Numeric(), nullable=False),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_fills_side")),
        sa.CheckConstraint("price > 0 AND size > 0 AND funds > 0 AND fee >= 0", name=op.f("ck_fills_positive")),
        sa.ForeignKeyConstraint(["intent_id"], ["orders.intent_id"], name=op.f("fk_fills_intent_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fills")),
        sa.UniqueConstraint(
            "venue", "account", "mode", "symbol", "fill_id", name=op.f("uq_fills_venue_account_mode_symbol_fill_id")
        ),
    )
    op.create_index("ix_fills_intent_id", "fills", ["intent_id"], unique=False)
    op.create_table(
        "trades",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("intent_id", sa.UUID(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("size", sa.Numeric(), nullable=False),
        sa.Column("funds", sa.Numeric(), nullable=False),
        sa.Column("fee", sa.Numeric(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("pnl", sa.Numeric(), nullable=True),
        sa.Column("pnl_pct", sa.Double(), nullable=True),
        sa.Column("cost", sa.Numeric(), nullable=True),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("round_trip_id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=True),
        sa.Column(
            "details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_fill_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(side = 'sell') = (pnl IS NOT NULL)", name=op.f("ck_trades_sells_have_pnl")),
        sa.ForeignKeyConstraint(["intent_id"], ["orders.intent_id"], name=op.f("fk_trades_intent_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trades")),
        sa.UniqueConstraint("intent_id", name=op.f("uq_trades_intent_id")),
    )
    op.create_index(
        "ix_trades_executed",
        "trades",
        ["venue", "account", "mode", sa.literal_column("executed_at DESC")],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_trades_executed", table_name="trades")
    op.drop_table("trades")
    op.drop_index("ix_fills_intent_id", table_name="fills")
    op.drop_table("fills")
    op.drop_index("ix_bookings_time", table_name="bookings")
    op.drop_table("bookings")
    op.drop_table("totals")
    op.drop_table("symbols")
    op.drop_index("ix_signal_outcomes_newest", table_name="signal_outcomes")
    op.drop_table("signal_outcomes")
    op.drop_table("runtime_settings")
    op.drop_index("ix_round_trips_closed", table_name="round_trips")
    op.drop_table("round_trips")
    op.drop_table("refusal_totals")
    op.drop_table("q_tables")
    op.drop_table("preflights")
    op.drop_table("positions")
    op.drop_index(
        "uq_orders_open_signal_intent",
        table_name="orders",
        postgresql_where=sa.text(
            "(side = 'buy' OR from_signal) AND state IN ('intent', 'sent', 'acknowledged', 'unknown')"
        ),
    )
    op.drop_index(
        "ix_orders_open",
        table_name="orders",
        postgresql_where=sa.text("state IN ('intent', 'sent', 'acknowledged', 'unknown')"),
    )
    op.drop_table("orders")
    op.drop_table("market_state")
    op.drop_table("heartbeats")
    op.drop_index("ix_decisions_newest", table_name="decisions")
    op.drop_table("decisions")
    op.drop_table("decision_totals")
    op.drop_table("days")
    op.drop_table("control")
    op.drop_table("candles")
    op.drop_table("audit")
    op.drop_table("accounts")
