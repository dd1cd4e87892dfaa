"""Parley's service: what runs in production, without torch."""
