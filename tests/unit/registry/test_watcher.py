"""The watcher tells what is on disk: models, versions, and whether they have come to rest."""

import logging
import os
from pathlib import Path

import pytest

from service.registry.watcher import Watcher


def publish(root: Path, name: str, version: int | str, **files: str) -> Path:
    directory = root / name / str(version)
    directory.mkdir(parents=True)
    for file, text in (files or {"manifest": "{}"}).items():
        (directory / file).write_text(text)
    return directory


def found(watcher: Watcher) -> dict[str, list[int]]:
    return {name: sorted(versions) for name, versions in watcher.scan().models.items()}


def settled(watcher: Watcher, name: str, version: int) -> bool:
    there = watcher.scan().get(name, version)
    assert there is not None
    return there.settled


def test_models_and_versions_are_found(tmp_path: Path) -> None:
    publish(tmp_path, "a", 1)
    publish(tmp_path, "a", 10)
    publish(tmp_path, "b", 2)

    assert {"a": [1, 10], "b": [2]} == found(Watcher(tmp_path))


def test_an_empty_directory_of_models_is_no_error(tmp_path: Path) -> None:
    assert {} == found(Watcher(tmp_path))


@pytest.mark.parametrize(
    "name", ["latest", "01", "0", "-1", "1.5", "v1", ".tmp-3-abc", "99999999999", "١"]
)
def test_what_is_not_a_version_number_is_ignored(tmp_path: Path, name: str) -> None:
    publish(tmp_path, "a", name)

    assert {"a": []} == found(Watcher(tmp_path))


def test_a_file_named_like_a_version_is_ignored(tmp_path: Path) -> None:
    publish(tmp_path, "a", 1)
    (tmp_path / "a" / "2").write_text("")

    assert {"a": [1]} == found(Watcher(tmp_path))


def test_files_and_hidden_directories_beside_the_models_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("")
    publish(tmp_path, ".tmp-upload", 1)

    assert {} == found(Watcher(tmp_path))


def test_a_directory_that_cannot_be_a_model_is_mentioned(tmp_path: Path, caplog) -> None:
    publish(tmp_path, "lost+found", 1)

    assert {} == found(Watcher(tmp_path))
    assert "is not a model" in caplog.text


def test_what_is_ignored_is_mentioned_once(tmp_path: Path, caplog) -> None:
    publish(tmp_path, "a", 1)
    publish(tmp_path, "a", "latest")
    watcher = Watcher(tmp_path)
    for _look in range(3):
        watcher.scan()

    assert ["is ignored: a version is a directory named 1, 2, 3 ..."] == caplog.messages


def test_a_writers_temporary_directory_is_not_worth_a_warning(tmp_path: Path, caplog) -> None:
    publish(tmp_path, "a", 1)
    publish(tmp_path, "a", ".tmp-2-abc")
    with caplog.at_level(logging.INFO):
        Watcher(tmp_path).scan()

    assert [] == caplog.messages


def test_whoever_points_at_a_model_or_a_bundle_is_told(tmp_path: Path, caplog) -> None:
    version = publish(tmp_path, "a", 1)
    (version / "manifest.json").write_text("{}")
    Watcher(tmp_path / "a").scan()

    assert "--models wants its grandparent" in caplog.text


def test_at_the_first_look_everything_has_settled(tmp_path: Path) -> None:
    publish(tmp_path, "a", 1)

    assert settled(Watcher(tmp_path), "a", 1)


def test_a_version_that_appears_later_settles_at_the_second_look(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    watcher.scan()
    publish(tmp_path, "a", 1)

    assert [False, True] == [settled(watcher, "a", 1), settled(watcher, "a", 1)]


@pytest.mark.parametrize("change", ["grow", "touch", "add", "remove", "nested"])
def test_a_version_whose_content_changes_has_not_settled(tmp_path: Path, change: str) -> None:
    directory = publish(tmp_path, "a", 1, one="1", two="2")
    watcher = Watcher(tmp_path)
    watcher.scan()
    match change:
        case "grow":
            (directory / "one").write_text("1111")
        case "touch":
            os.utime(directory / "one", ns=(1, 1))
        case "add":
            (directory / "three").write_text("3")
        case "remove":
            (directory / "two").unlink()
        case "nested":
            (directory / "sub").mkdir()

    assert [False, True] == [settled(watcher, "a", 1), settled(watcher, "a", 1)]


def test_a_removed_version_is_no_longer_found(tmp_path: Path) -> None:
    directory = publish(tmp_path, "a", 1)
    watcher = Watcher(tmp_path)
    watcher.scan()
    (directory / "manifest").unlink()
    directory.rmdir()

    assert {"a": []} == found(watcher)


def test_a_volume_that_is_away_is_not_an_order_to_unload(tmp_path: Path, caplog) -> None:
    root = tmp_path / "models"
    publish(root, "a", 1)
    watcher = Watcher(root)
    watcher.scan()
    root.rename(tmp_path / "elsewhere")

    assert {"a": [1]} == found(watcher)
    assert {"a": [1]} == found(watcher)
    assert 1 == caplog.text.count("cannot be read")


def test_the_absence_of_a_volume_is_mentioned_anew_after_it_was_back(
    tmp_path: Path, caplog
) -> None:
    root, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    publish(root, "a", 1)
    watcher = Watcher(root)
    for _time in range(2):
        root.rename(elsewhere)
        watcher.scan()
        elsewhere.rename(root)
        watcher.scan()

    assert 2 == caplog.text.count("cannot be read")


def test_a_link_to_a_model_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "models"
    root.mkdir()
    publish(tmp_path / "store", "a", 1)
    (root / "linked").symlink_to(tmp_path / "store" / "a")

    assert {"linked": [1]} == found(Watcher(root))
