"""Old x86 processors need another form of 8-bit weights; all others must not pay for it."""

from pathlib import Path

import pytest

from service.decoding.processor import products_may_saturate


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse2 avx2", True),
        ("fpu sse2 avx2 avx512f avx512bw", True),
        ("fpu avx2 avx512f avx512_vnni", False),
        ("fpu avx2 avx_vnni", False),
    ],
)
def test_an_x86_without_vnni_may_saturate(tmp_path: Path, flags: str, expected: bool) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n")

    assert expected is products_may_saturate("x86_64", info)


def test_other_processors_do_not(tmp_path: Path) -> None:
    assert not products_may_saturate("aarch64", tmp_path / "missing")


def test_an_x86_that_cannot_be_asked_is_taken_for_an_old_one(tmp_path: Path) -> None:
    assert products_may_saturate("x86_64", tmp_path / "missing")
