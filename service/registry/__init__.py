"""The versions of every model: found on disk, proven, served, replaced without a failed request.

`watcher` says what is there, `policy` what to do next, `catalog` remembers, `loader` makes a
version ready, `holds` keeps what requests work with, `manager` is the thread and the lock around
them.
"""

from service.registry.holds import LoadedVersion
from service.registry.loader import BundleLoader, GoldensFailed, Loaded, Loader
from service.registry.manager import Manager
from service.registry.states import State, VersionStatus
from service.registry.watcher import Watcher

__all__ = [
    "BundleLoader",
    "GoldensFailed",
    "Loaded",
    "LoadedVersion",
    "Loader",
    "Manager",
    "State",
    "VersionStatus",
    "Watcher",
]
