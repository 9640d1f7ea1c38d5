"""The patterns of ``like`` and ``ilike``: ``*`` is any run, ``?`` exactly one character, everything else is itself.

Patterns come from strangers, so no regular expression is made of them: the work grows with the length of the text and
never with the ways in which a pattern could be laid over it. (Ditto documentation, page *basic-rql*.)
"""

from __future__ import annotations


def is_like(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether the whole text is what the pattern says; stars and question marks cannot be escaped."""
    if ignore_case:
        pattern, text = _folded(pattern), _folded(text)
    if "?" in pattern:
        return _walks(pattern, text)
    head, *runs = pattern.split("*")
    if not runs:
        return pattern == text
    return text.startswith(head) and _holds(text, len(head), runs)


def _holds(text: str, place: int, runs: list[str]) -> bool:
    """Whether the runs follow each other behind the place, the last one at the end; the first finding is the best."""
    *inner, tail = runs
    for run in inner:
        place = text.find(run, place)
        if place < 0:
            return False
        place += len(run)
    return len(text) - len(tail) >= place and text.endswith(tail)


def _walks(pattern: str, text: str) -> bool:
    """Follow all places of the pattern at once: bit n says that n of its characters can have been matched so far."""
    anywhere = stars = 0
    masks: dict[str, int] = {}
    length = 0
    for character in pattern:
        if character == "*":
            stars |= 1 << length
            continue
        if character == "?":
            anywhere |= 1 << length
        else:
            masks[character] = masks.get(character, 0) | 1 << length
        length += 1
    places = 1
    for character in text:
        places = (places & (masks.get(character, 0) | anywhere)) << 1 | (places & stars)
        if not places:
            return False
    return bool(places >> length & 1)


def _folded(text: str) -> str:
    """The text without its case, character by character, so that a question mark still is one character."""
    if text.isascii():
        return text.lower()
    return "".join([folded if len(folded := character.casefold()) == 1 else character for character in text])
