"""Threads come from affinity and cgroup quotas, never from the host's core count."""

from pathlib import Path

import pytest

from service.threads import cpu_quotas, throttling, usable_cpus


class Cgroups:
    """A made-up /sys/fs/cgroup and /proc/self/cgroup."""

    def __init__(self, root: Path) -> None:
        self.mount = root / "cgroup"
        self.mount.mkdir()
        self.membership = root / "self"

    def belong_to(self, *lines: str) -> None:
        self.membership.write_text("".join(line + "\n" for line in lines))

    def write(self, path: str, text: str) -> None:
        file = self.mount / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def cpus(self, affinity: int = 64) -> int:
        return usable_cpus(affinity=affinity, cgroups=self.mount, membership=self.membership)


@pytest.fixture
def cgroups(tmp_path: Path) -> Cgroups:
    return Cgroups(tmp_path)


def test_without_cgroups_the_affinity_decides(cgroups: Cgroups) -> None:
    assert cgroups.cpus(affinity=6) == 6


@pytest.mark.parametrize(
    ("cpu_max", "expected"),
    [("max 100000", 64), ("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1)],
)
def test_v2_quota_is_rounded_down_and_never_below_one(
    cgroups: Cgroups, cpu_max: str, expected: int
) -> None:
    cgroups.belong_to("0::/")
    cgroups.write("cpu.max", cpu_max)

    assert expected == cgroups.cpus()


def test_the_tightest_quota_on_the_way_up_decides(cgroups: Cgroups) -> None:
    cgroups.belong_to("0::/kubepods/pod1/container")
    cgroups.write("kubepods/pod1/container/cpu.max", "max 100000")
    cgroups.write("kubepods/pod1/cpu.max", "200000 100000")
    cgroups.write("kubepods/cpu.max", "800000 100000")

    assert sorted(cpu_quotas(cgroups.mount, cgroups.membership)) == [2.0, 8.0]
    assert cgroups.cpus() == 2


def test_v1_quota_counts_too(cgroups: Cgroups) -> None:
    cgroups.belong_to("4:cpu,cpuacct:/docker/abc", "1:name=systemd:/docker/abc")
    cgroups.write("cpu/docker/abc/cpu.cfs_quota_us", "300000")
    cgroups.write("cpu/docker/abc/cpu.cfs_period_us", "100000")

    assert cgroups.cpus() == 3


def test_v1_without_a_limit_says_minus_one(cgroups: Cgroups) -> None:
    cgroups.belong_to("4:cpu,cpuacct:/")
    cgroups.write("cpu,cpuacct/cpu.cfs_quota_us", "-1")
    cgroups.write("cpu,cpuacct/cpu.cfs_period_us", "100000")

    assert cgroups.cpus(affinity=5) == 5


def test_in_a_container_whose_path_is_not_mounted_the_mounts_root_is_read(cgroups: Cgroups) -> None:
    cgroups.belong_to("4:cpu:/docker/not-mounted-here")
    cgroups.write("cpu/cpu.cfs_quota_us", "200000")
    cgroups.write("cpu/cpu.cfs_period_us", "100000")

    assert cgroups.cpus() == 2


def test_a_quota_beyond_the_affinity_changes_nothing(cgroups: Cgroups) -> None:
    cgroups.belong_to("0::/")
    cgroups.write("cpu.max", "6400000 100000")

    assert cgroups.cpus(affinity=2) == 2


def test_nonsense_in_the_files_is_no_limit(cgroups: Cgroups) -> None:
    cgroups.belong_to("0::/", "garbage")
    cgroups.write("cpu.max", "lots")

    assert cgroups.cpus(affinity=2) == 2


def test_v2_throttling_is_read_in_seconds(cgroups: Cgroups) -> None:
    cgroups.belong_to("0::/")
    cgroups.write("cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_usec 1500000")

    assert throttling(cgroups.mount, cgroups.membership) == (3.0, 1.5)


def test_v1_throttling_is_read_in_seconds(cgroups: Cgroups) -> None:
    cgroups.belong_to("4:cpu,cpuacct:/")
    cgroups.write("cpu/cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_time 1500000000")

    assert throttling(cgroups.mount, cgroups.membership) == (3.0, 1.5)


def test_throttling_is_unknown_where_nobody_counts_it(cgroups: Cgroups) -> None:
    assert throttling(cgroups.mount, cgroups.membership) is None


def test_this_machine_has_a_cpu_for_us() -> None:
    assert usable_cpus() >= 1
