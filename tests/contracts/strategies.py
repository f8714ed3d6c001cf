"""Text as hostile as JSON allows."""

from __future__ import annotations

from hypothesis import strategies as st

_CHARACTERS = st.characters(exclude_categories=()) | st.sampled_from(["\x00", "\n", " ", chr(0xD800), chr(0xDFFF)])


def hostile_text(min_size: int = 0, max_size: int = 20) -> st.SearchStrategy[str]:
    """Text of any code points, often with a NUL, blanks or lone surrogates."""
    # Not st.text(): it merges the alternatives into one alphabet, in which these few are hardly ever drawn.
    return st.lists(_CHARACTERS, min_size=min_size, max_size=max_size).map("".join)
