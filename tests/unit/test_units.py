import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.units import GIB, format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("24GiB", 24 * GIB), ("1.5 GiB", 3 * GIB // 2), ("500MB", 500_000_000), ("0B", 0), (" 2 kib ", 2048)],
)
def test_a_size_is_its_number_times_its_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["24", "GiB", "24 GiX", "-1GiB", "1,5GiB", "1e3GiB", "", "٣GiB"])
def test_a_size_without_number_or_unit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write a number and a unit, such as `24GiB`"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=2**50))
def test_a_formatted_size_reads_back_within_its_rounding(size: int) -> None:
    assert parse_size(format_size(size)) == pytest.approx(size, rel=0.051)


@given(st.text(max_size=20).filter(lambda text: not text.strip()[:1].isdigit()))
def test_text_that_does_not_begin_with_a_number_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)
