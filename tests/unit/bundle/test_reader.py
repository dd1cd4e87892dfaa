"""Opening a bundle that nobody vouches for."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from service.bundle import BundleError, BundleLimits, dump_manifest, open_bundle
from service.bundle.contents import digest
from service.errors import ParleyError
from tests.support.bundles import FROZEN, bundle_files, flip_byte, publish, truncate

FILES = sorted(bundle_files())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A sound bundle, to be damaged."""
    return publish(tmp_path)


def refusal(path: Path, **options: BundleLimits) -> BundleError:
    with pytest.raises(BundleError) as refused:
        open_bundle(path, **options)
    return refused.value


def test_a_sound_bundle_opens() -> None:
    bundle = open_bundle(FROZEN)

    assert "reverse" == bundle.manifest.name
    assert "abc" == bundle.tokenizer.decode(bundle.tokenizer.encode("abc"))
    assert {1, 4} <= {golden.beam for golden in bundle.goldens}
    assert (FROZEN / "encoder.onnx").read_bytes() == bundle.read_graph("encoder")
    assert (FROZEN / "decoder.onnx").read_bytes() == bundle.read_graph("decoder")


def test_a_bundle_error_is_one_of_parleys_own() -> None:
    assert isinstance(refusal(Path("/nowhere/at/all")), ParleyError)


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_found_in_every_file(bundle: Path, name: str) -> None:
    flip_byte(bundle / name)

    assert f"{name}: its SHA-256 is not the one in the manifest" in str(refusal(bundle))


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_named_with_both_sizes(bundle: Path, name: str) -> None:
    truncate(bundle / name, keep=10)

    assert f"{name}: is cut short: 10 bytes, the manifest says" in str(refusal(bundle))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_grew_is_refused_unread(bundle: Path, name: str) -> None:
    size = (bundle / name).stat().st_size
    with (bundle / name).open("ab") as stream:
        stream.write(b"x")

    assert f"{name}: has {size + 1} bytes, at most {size} are expected" in str(refusal(bundle))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()

    assert (f"{name}: is in the manifest but does not exist",) == refusal(bundle).problems


def test_everything_wrong_is_said_at_once(bundle: Path) -> None:
    flip_byte(bundle / "encoder.onnx")
    truncate(bundle / "decoder.onnx")
    (bundle / "goldens.jsonl").unlink()
    (bundle / "extra.bin").write_bytes(b"")
    (bundle / "folder").mkdir()

    found = refusal(bundle)

    assert 5 == len(found.problems)
    assert all(name in str(found) for name in ("encoder", "decoder", "goldens", "extra", "folder"))


def test_a_file_that_the_manifest_does_not_know_is_an_error(bundle: Path) -> None:
    (bundle / "run.py").write_text("")

    assert ("'run.py' is not in the manifest",) == refusal(bundle).problems


def test_a_symbolic_link_is_refused_even_to_the_right_bytes(bundle: Path, tmp_path: Path) -> None:
    (bundle / "README.md").rename(tmp_path / "card.md")
    (bundle / "README.md").symlink_to(tmp_path / "card.md")

    assert ("'README.md' is a link: a bundle holds plain files only",) == refusal(bundle).problems


def test_a_linked_manifest_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "manifest.json").rename(tmp_path / "manifest.json")
    (bundle / "manifest.json").symlink_to(tmp_path / "manifest.json")

    assert ("is a symbolic link",) == refusal(bundle).problems


@pytest.mark.parametrize("name", ["README.md", "manifest.json"])
def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    os.mkfifo(bundle / name)

    refusal(bundle)


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert ("does not exist",) == refusal(tmp_path / "nothing").problems
    assert ("is no directory",) == refusal(tmp_path / "file").problems


def test_an_empty_directory_lacks_its_manifest(tmp_path: Path) -> None:
    found = refusal(tmp_path)

    assert f"{tmp_path}/manifest.json: does not exist" == str(found)


def test_a_directory_full_of_things_is_not_searched_for_ever(bundle: Path) -> None:
    for i in range(200):
        (bundle / f"junk-{i}").touch()

    assert any("more than 64 entries" in problem for problem in refusal(bundle).problems)


def rewrite(bundle: Path, name: str, data: bytes) -> None:
    """Change a file and its entry in the manifest: the digests then have nothing to say."""
    (bundle / name).write_bytes(data)
    plain = json.loads((bundle / "manifest.json").read_bytes())
    plain["files"][name] = {"sha256": digest(data).sha256, "bytes": len(data)}
    (bundle / "manifest.json").write_text(json.dumps(plain))


def test_a_path_out_of_the_bundle_is_refused(bundle: Path) -> None:
    plain = json.loads((bundle / "manifest.json").read_bytes())
    plain["files"]["../../../etc/passwd"] = {"sha256": "0" * 64, "bytes": 9}
    (bundle / "manifest.json").write_text(json.dumps(plain))

    assert "is not known to the format" in str(refusal(bundle))


def test_external_data_is_refused_though_the_digests_hold(bundle: Path) -> None:
    located = b"\x3a\x0b\x2a\x09\x42\x05evil!\x70\x01"  # graph { initializer { name, location: 1 }}
    rewrite(bundle, "encoder.onnx", bundle_files()["encoder.onnx"] + located)

    expected = "encoder.onnx: the tensor 'evil!' is stored outside the file (external data)"
    assert (expected,) == refusal(bundle).problems


def test_a_pickle_is_not_a_tokenizer(bundle: Path) -> None:
    rewrite(bundle, "characters.json", b"\x80\x04\x95\x0e\x00\x00\x00cos\nsystem\n.")

    assert "characters.json: is no character table" in str(refusal(bundle))


def test_goldens_outside_the_vocabulary_are_refused(bundle: Path) -> None:
    data = (bundle / "goldens.jsonl").read_bytes()
    rewrite(bundle, "goldens.jsonl", data.replace(b'"tokens": [6,', b'"tokens": [60000,'))

    assert "has a token outside the vocabulary" in str(refusal(bundle))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b'"max_length": 12', b'"max_length": 1000000000', "allows 1000000000 tokens"),
        (b'"source": "abc"', b'"source": "' + b"a" * 64 + b'"', "has 65 tokens"),
    ],
)
def test_goldens_beyond_the_limits_of_the_model_are_refused(
    bundle: Path, old: bytes, new: bytes, expected: str
) -> None:
    """They would keep a server busy for as long as they like before it could say no."""
    rewrite(bundle, "goldens.jsonl", (bundle / "goldens.jsonl").read_bytes().replace(old, new))

    assert expected in str(refusal(bundle))


def test_sizes_are_bounded_before_anything_is_read(bundle: Path) -> None:
    found = refusal(bundle, limits=BundleLimits(graph=100, tokenizer=10, other=5))

    assert 5 == len(found.problems)
    assert all("are allowed" in problem for problem in found.problems)


def test_a_huge_manifest_is_refused_unread(bundle: Path) -> None:
    with (bundle / "manifest.json").open("r+b") as stream:
        stream.truncate(1 << 40)  # sparse: no disk is used, and reading it would take for ever

    assert "at most 1048576 are expected" in str(refusal(bundle))


def test_a_graph_changed_after_opening_is_not_handed_out(bundle: Path) -> None:
    opened = open_bundle(bundle)
    flip_byte(bundle / "decoder.onnx")

    with pytest.raises(BundleError, match="SHA-256"):
        opened.read_graph("decoder")


def test_a_bundle_may_be_copied_under_another_name_and_version(bundle: Path) -> None:
    """The directory's name is the address; the manifest says what was published."""
    copy = bundle.rename(bundle.with_name("7"))

    assert 1 == open_bundle(copy).manifest.version


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_descriptors_are_left_open(bundle: Path) -> None:
    before = _open_descriptors()

    open_bundle(bundle).read_graph("encoder")
    flip_byte(bundle / "encoder.onnx")
    refusal(bundle)

    assert before == _open_descriptors()


def test_a_manifest_of_another_format_is_refused_as_such(bundle: Path) -> None:
    manifest = dataclasses.replace(open_bundle(bundle).manifest, format_version=2)
    (bundle / "manifest.json").write_bytes(dump_manifest(manifest))

    assert "this program reads format 1" in str(refusal(bundle))
