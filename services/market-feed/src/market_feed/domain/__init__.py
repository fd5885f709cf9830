"""Decisions without I/O or clock: when a bar is final, and what the trade flow is."""
