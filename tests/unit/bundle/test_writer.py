"""Publishing: all of a bundle or none of it, and never over another."""

import dataclasses
import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from service.bundle import (
    BundleError,
    load_manifest,
    next_version,
    open_bundle,
    publish_bundle,
    versions,
    write_bundle,
)
from tests.support.bundles import FROZEN, bundle_files, publish

MANIFEST = load_manifest(FROZEN)
FILES = bundle_files()


def names_in(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_what_was_written_can_be_opened(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "exported", MANIFEST, FILES)

    assert tmp_path / "exported" / "reverse" / "1" == path
    assert MANIFEST == open_bundle(path).manifest
    assert sorted([*FILES, "manifest.json"]) == names_in(path)


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    """A server runs under another user than the exporter."""
    old = os.umask(0o022)
    try:
        path = write_bundle(tmp_path, MANIFEST, FILES)
    finally:
        os.umask(old)

    assert 0o755 == stat.S_IMODE(path.stat().st_mode)
    assert {0o644} == {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()}


def test_the_next_version_follows_the_newest(tmp_path: Path) -> None:
    assert 1 == next_version(tmp_path, "reverse")
    for name in ("2", "10", "9", ".tmp-11-x", "012", "latest", "-3", "1e3", "٣"):
        (tmp_path / "reverse" / name).mkdir(parents=True)

    assert [2, 9, 10] == versions(tmp_path, "reverse")
    assert 11 == next_version(tmp_path, "reverse")


def test_publishing_counts_up(tmp_path: Path) -> None:
    paths = [publish_bundle(tmp_path, MANIFEST, FILES) for _ in range(3)]

    assert ["1", "2", "3"] == [path.name for path in paths]
    assert [1, 2, 3] == [open_bundle(path).manifest.version for path in paths]


def test_a_published_version_is_never_overwritten(tmp_path: Path) -> None:
    path = publish(tmp_path)
    before = {file.name: file.read_bytes() for file in path.iterdir()}

    with pytest.raises(BundleError, match="exists already"):
        publish(tmp_path, files={"README.md": b"another"})

    assert before == {file.name: file.read_bytes() for file in path.iterdir()}
    assert ["1"] == names_in(path.parent)


def test_of_two_writers_at_once_one_wins_and_the_other_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other publishes after we looked, and before we rename."""
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        publish(tmp_path, files={"README.md": b"the winner"})
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)

    with pytest.raises(BundleError, match="another writer"):
        publish(tmp_path)

    assert b"the winner" == (tmp_path / "reverse" / "1" / "README.md").read_bytes()
    assert ["1"] == names_in(tmp_path / "reverse")


def test_many_publishers_at_once_all_get_a_version_of_their_own(tmp_path: Path) -> None:
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(publish_bundle(tmp_path, MANIFEST, FILES)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [1, 2, 3, 4, 5, 6] == versions(tmp_path, "reverse")
    assert 6 == len({open_bundle(path).manifest.version for path in paths})


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_failing_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "reverse").mkdir()
    monkeypatch.setattr(os if call == "fsync" else Path, call, fail)

    with pytest.raises(OSError, match="No space"):
        publish(tmp_path)

    assert [] == names_in(tmp_path / "reverse")


def test_a_crash_leaves_at_most_what_no_reader_looks_at(tmp_path: Path, repository: Path) -> None:
    """A process that dies in the middle of writing, as by SIGKILL, cannot clean up."""
    (tmp_path / "reverse").mkdir()
    dying = (
        "import os, pathlib, sys\n"
        "from tests.support.bundles import publish\n"
        "os.fsync = lambda _: os._exit(9)\n"
        "publish(pathlib.Path(sys.argv[1]))\n"
    )

    died = subprocess.run([sys.executable, "-c", dying, tmp_path], cwd=repository, check=False)

    assert 9 == died.returncode
    [left] = names_in(tmp_path / "reverse")
    assert left.startswith(".tmp-")
    assert [] == versions(tmp_path, "reverse")
    assert "1" == publish_bundle(tmp_path, MANIFEST, FILES).name


def test_every_file_and_directory_is_on_the_disk_before_the_version_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def watched_fsync(fd: int) -> None:
        seen.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        fsync(fd)

    def watched_rename(self: Path, target: Path) -> Path:
        seen.append("RENAME")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "rename", watched_rename)
    (tmp_path / "reverse").mkdir()

    publish(tmp_path)

    *files, directory, renamed, parent = seen
    assert sorted([*FILES, "manifest.json"]) == sorted(files)
    assert directory.startswith(".tmp-1-")
    assert ("RENAME", "reverse") == (renamed, parent)


def test_a_bundle_with_faults_is_not_published_and_all_faults_are_named(tmp_path: Path) -> None:
    manifest = dataclasses.replace(MANIFEST, version=0, source_language="??")

    with pytest.raises(BundleError) as refused:
        write_bundle(tmp_path, manifest, {"README.md": b"", "weights.pkl": b""})

    assert 7 == len(refused.value.problems)
    assert [] == names_in(tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("encoder.onnx", b"no", "encoder.onnx: is no ONNX model"),
        ("characters.json", b"{}", "characters.json: pieces: missing"),
        ("goldens.jsonl", b"", "goldens.jsonl: has no greedy golden"),
    ],
)
def test_contents_are_checked_before_anything_is_written(
    tmp_path: Path, name: str, data: bytes, expected: str
) -> None:
    with pytest.raises(BundleError) as refused:
        publish(tmp_path, files={name: data})

    assert expected in str(refused.value)
    assert [] == names_in(tmp_path)


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "/abs"])
def test_a_name_cannot_lead_out_of_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="no plain name"):
        publish(tmp_path / "root", name)

    assert [] == names_in(tmp_path)


def test_a_file_name_cannot_lead_out_of_the_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not known to the format"):
        publish(tmp_path, files={"../evil": b""})

    assert [] == names_in(tmp_path)
