"""Parley's service: what runs in production, without torch."""

__all__ = ["__version__"]

__version__ = "0.1.0"
"""The version of the distribution; pyproject.toml reads it from here."""
