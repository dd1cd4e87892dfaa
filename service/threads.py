"""How many threads this process may really use.

The host's core count is the wrong answer in a container: affinity (cpusets) and the cgroup's CPU
quota both bound us, and a pool larger than the quota is stopped by the kernel in mid-step.
"""

import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cpus(
    *,
    affinity: int | None = None,
    cgroups: Path = _CGROUPS,
    membership: Path = _MEMBERSHIP,
) -> int:
    """CPUs of the affinity mask, cut to the tightest cgroup quota; at least 1.

    A fractional quota is rounded down: one thread too many is paid by every step, because a step
    ends when its last thread does, and the throttled one ends a whole period later.
    """
    cpus = len(os.sched_getaffinity(0)) if affinity is None else affinity
    quotas = list(cpu_quotas(cgroups, membership))
    return max(1, min([cpus, *(int(quota) for quota in quotas)]))


def cpu_quotas(cgroups: Path = _CGROUPS, membership: Path = _MEMBERSHIP) -> Iterator[float]:
    """Every CPU quota above this process, in CPUs, from cgroup v2 (`cpu.max`) and v1."""
    for directory in _ancestors(cgroups, membership):
        quota = _v2_quota(directory) or _v1_quota(directory)
        if quota is not None:
            yield quota


def throttling(
    cgroups: Path = _CGROUPS, membership: Path = _MEMBERSHIP
) -> tuple[float, float] | None:
    """(periods throttled, seconds throttled) of this process's own cgroup, or None if unknown."""
    for directory in _ancestors(cgroups, membership):
        facts = dict(line.split() for line in _text(directory / "cpu.stat").splitlines())
        try:
            if "throttled_usec" in facts:  # v2
                return float(facts["nr_throttled"]), float(facts["throttled_usec"]) / 1e6
            if "throttled_time" in facts:  # v1, nanoseconds
                return float(facts["nr_throttled"]), float(facts["throttled_time"]) / 1e9
        except (KeyError, ValueError):
            continue
    return None


def _ancestors(cgroups: Path, membership: Path) -> Iterator[Path]:
    """The cgroup directories of this process, its own first, then those it lies in.

    With a cgroup namespace (the usual container) its own path is `/`. Without one, `/proc` may name
    a path that is not mounted here; then only the mount's root is left, and is the container's own.
    """
    for line in _text(membership).splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0" and not controllers:
            mounts = [cgroups, cgroups / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [cgroups / "cpu", cgroups / controllers]
        else:
            continue
        mount = next((each for each in mounts if each.is_dir()), cgroups)
        own = mount / path.strip("/")
        while own != mount:
            yield own
            own = own.parent
        yield mount


def _v2_quota(directory: Path) -> float | None:
    return _ratio(*(_text(directory / "cpu.max").split() or ["", ""])[:2])


def _v1_quota(directory: Path) -> float | None:
    quota = _text(directory / "cpu.cfs_quota_us").strip()
    return _ratio(quota, _text(directory / "cpu.cfs_period_us").strip())


def _ratio(quota: str, period: str = "") -> float | None:
    """Quota over period; None for "max", -1, a missing file or anything else without a limit."""
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        return int(quota) / int(period)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
