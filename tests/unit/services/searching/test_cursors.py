from pathlib import Path

import pytest

from projections.search.paging import Place
from protocol.errors import SearchOptionInvalid
from services.searching.cursors import Cursor, cursor_key, sealed, unsealed

KEY = b"a key of thirty-two bytes, or so"
CURSOR = Cursor(
    filters=('eq(attributes/n,"ä")', "exists(features)"),
    namespaces=("farm.one", "farm.two"),
    sort="+attributes/n",
    place=Place(values=("5", None, 7), thing_id="farm.one:pump"),
)


@pytest.mark.parametrize(
    "cursor", [CURSOR, Cursor(filters=(), namespaces=None, sort="", place=Place(values=(), thing_id="a:b"))]
)
def test_what_was_sealed_is_read_back(cursor: Cursor) -> None:
    assert unsealed(sealed(cursor, KEY), KEY) == cursor


def test_a_cursor_of_another_key_is_refused() -> None:
    with pytest.raises(SearchOptionInvalid):
        unsealed(sealed(CURSOR, b"another key"), KEY)


def test_a_cursor_in_which_a_single_character_was_changed_is_refused() -> None:
    text = sealed(CURSOR, KEY)
    for place in range(len(text) - 1):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(SearchOptionInvalid):
            unsealed(text[:place] + other + text[place + 1 :], KEY)


@pytest.mark.parametrize("text", ["", "A", "AAAA", "ä", "{}", "A" * 100_000])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(SearchOptionInvalid):
        unsealed(text, KEY)


def test_the_key_of_a_folder_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    key = cursor_key(tmp_path)
    assert cursor_key(tmp_path) == key
    assert len(key) == 32
    assert [path.stat().st_mode & 0o077 for path in tmp_path.iterdir()] == [0]
