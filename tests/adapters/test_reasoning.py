"""What of a stream may be shown, however its pieces are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.adapters.reasoning import Spoken
from biai_xinf.prompting import without_thinking

WORDS = st.text(alphabet="ab <>/thinksql\n", max_size=12).filter(lambda text: "think>" not in text)


def shown(pieces: list[str], reasoning: bool = False) -> str:
    spoken = Spoken(reasoning)
    return "".join([*map(spoken.feed, pieces), spoken.end()])


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[begin:end] for begin, end in pairwise(ends)]


@given(reasoning=WORDS, answer=WORDS, places=st.lists(st.integers(0, 60), max_size=8))
def test_it_shows_what_the_whole_answer_says(reasoning: str, answer: str, places: list[int]) -> None:
    whole = f"<think>{reasoning}</think>{answer}"

    assert shown(cut(whole, places)) == without_thinking(whole).lstrip()


@given(text=WORDS, places=st.lists(st.integers(0, 60), max_size=8))
def test_without_reasoning_nothing_is_lost(text: str, places: list[int]) -> None:
    assert shown(cut(text, places)) == text.lstrip()


@pytest.mark.parametrize(
    ("pieces", "reasoning", "said"),
    [
        (["<th", "ink>Hm", "</thi", "nk>\n\nTwo", "."], False, "Two."),
        (["Hm. ", "So:</think>", " Two."], True, "Two."),
        (["<think>Hm", ", and"], False, ""),
        (["Hm, and"], True, ""),
        (["a <", " b"], False, "a < b"),
        (["a <thin"], False, "a <thin"),
    ],
    ids=["cut amid tags", "begun by the template", "cut off", "cut off after the template", "less than", "no tag"],
)
def test_pieces_of_a_tag_are_held_back(pieces: list[str], reasoning: bool, said: str) -> None:
    assert shown(pieces, reasoning) == said


def test_what_cannot_be_a_tag_is_shown_at_once() -> None:
    spoken = Spoken()

    assert [spoken.feed("SELECT a <"), spoken.feed(" b")] == ["SELECT a ", "< b"]
