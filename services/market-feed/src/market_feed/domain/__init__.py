"""Decisions without I/O or clock: when a bar is final, what the trade flow is, and which source is in use."""
