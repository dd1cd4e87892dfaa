"""The documents show `parley-train` with flags that it has."""

from tests.docs.reading import unknown_flags


def test_every_flag_shown_exists() -> None:
    assert [] == unknown_flags("parley-train")
