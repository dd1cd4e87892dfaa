"""``parley-train``: from a recipe to a published bundle, in one command or stage by stage."""

from training.cli.main import main

__all__ = ["main"]
