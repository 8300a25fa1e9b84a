"""`.env` files: our settings are read back by whoever reads them, and every other byte stays."""

from __future__ import annotations

import io
import re

import dotenv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.envfile import settings_of, with_settings

HOST = "http://10.0.0.5:9997"
SETTINGS = {"OLLAMA_HOST": HOST, "OLLAMA_MODEL": "qwen2.5-coder:7b-instruct-q4_K_M"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"", b"OLLAMA_HOST=H\n", id="no file"),
        pytest.param(b"OLLAMA_HOST=http://localhost:11434\n", b"OLLAMA_HOST=H\n", id="a line"),
        pytest.param(b"A=1\nOLLAMA_HOST = x\nB=2\n", b"A=1\nOLLAMA_HOST = H\nB=2\n", id="blanks around ="),
        pytest.param(b"A=1\r\nOLLAMA_HOST=x\r\nB=2\r\n", b"A=1\r\nOLLAMA_HOST=H\r\nB=2\r\n", id="CRLF"),
        pytest.param(b"A=1\r\n", b"A=1\r\nOLLAMA_HOST=H\r\n", id="CRLF, appended"),
        pytest.param(b"A=1", b"A=1\nOLLAMA_HOST=H", id="no newline at the end"),
        pytest.param(b"A=1\r\nB=2", b"A=1\r\nB=2\r\nOLLAMA_HOST=H", id="CRLF without one at the end"),
        pytest.param(b"OLLAMA_HOST=a\nOLLAMA_HOST=b\n", b"OLLAMA_HOST=H\nOLLAMA_HOST=H\n", id="twice"),
        pytest.param(b"export OLLAMA_HOST=a\n", b"export OLLAMA_HOST=H\n", id="export"),
        pytest.param(b"#OLLAMA_HOST=a\n", b"#OLLAMA_HOST=a\nOLLAMA_HOST=H\n", id="commented out"),
        pytest.param(b"MY_OLLAMA_HOST=a\n", b"MY_OLLAMA_HOST=a\nOLLAMA_HOST=H\n", id="another key"),
        pytest.param(b"OLLAMA_HOST='a # b' # c\n", b"OLLAMA_HOST=H # c\n", id="quotes and a comment"),
        pytest.param(b"OLLAMA_HOST=a\t# c\n", b"OLLAMA_HOST=H\t# c\n", id="a comment"),
        pytest.param(b"OLLAMA_HOST= # c\n", b"OLLAMA_HOST= H # c\n", id="a comment and no value"),
        pytest.param(b"export 'OLLAMA_HOST'=a\n", b"export 'OLLAMA_HOST'=H\n", id="a key in quotes"),
        pytest.param(b'OLLAMA_HOST="a\nb"\nC=1\n', b"OLLAMA_HOST=H\nC=1\n", id="over several lines"),
        pytest.param(b'A="\nOLLAMA_HOST=a\n"\n', b'A="\nOLLAMA_HOST=a\n"\nOLLAMA_HOST=H\n', id="inside a value"),
        pytest.param(b"A='open\nOLLAMA_HOST=a\n", b"A='open\nOLLAMA_HOST=H\n", id="a quote left open"),
        pytest.param(b"OLLAMA_HOST='a'b\n", b"OLLAMA_HOST='a'b\nOLLAMA_HOST=H\n", id="more behind the quotes"),
        pytest.param(b"OLLAMA_HOST\n", b"OLLAMA_HOST=H\n", id="a key alone"),
        pytest.param(b"\xef\xbb\xbfOLLAMA_HOST=a\n", b"\xef\xbb\xbfOLLAMA_HOST=H\n", id="BOM"),
        pytest.param(b"A=\xb1\xe6\x85\nOLLAMA_HOST=a\n", b"A=\xb1\xe6\x85\nOLLAMA_HOST=H\n", id="Latin-2"),
        pytest.param("A=\u2028ó\x0b\n".encode(), "A=\u2028ó\x0b\nOLLAMA_HOST=H\n".encode(), id="other separators"),
    ],
)
def test_a_setting_is_written_into_its_line_and_every_other_byte_stays(before: bytes, after: bytes) -> None:
    after = re.sub(rb"(= ?)H\b", rb"\1" + HOST.encode(), after)

    written = with_settings(before, {"OLLAMA_HOST": HOST})

    assert written == after
    assert with_settings(written, {"OLLAMA_HOST": HOST}) == after


@pytest.mark.parametrize("line", [f'OLLAMA_HOST="{HOST}"', f"OLLAMA_HOST = {HOST}", f"OLLAMA_HOST={HOST} # ours"])
def test_a_line_that_says_it_already_is_left_as_a_person_wrote_it(line: str) -> None:
    assert with_settings(line.encode(), {"OLLAMA_HOST": HOST}) == line.encode()


@pytest.mark.parametrize("value", ["", "two words", "a#b", "it's", "$HOME", "a\nB=1", "zażółć"])
def test_a_value_that_would_have_to_be_quoted_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="OLLAMA_MODEL cannot be"):
        with_settings(b"", {"OLLAMA_MODEL": value})


KEYS = ["OLLAMA_HOST", "OLLAMA_MODEL", "CHROMA_HOST", "ORACLE_PASSWORD", "X"]
VALUES = [
    "",
    "a",
    '"a b"',
    "'a'",
    '"a\\"b"',
    "a # b",
    "'open",
    '"open',
    "ż",
    "a=b",
    "'x\ny'",
    '"x\nOLLAMA_HOST=y"',
    "$A",
]
BINDINGS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "export ", " ", "\t", "#", "# ", "\ufeff"]),
    st.sampled_from([*KEYS, "'X'", "'OLLAMA_HOST'"]),
    st.sampled_from(["=", " = ", " =", "= ", ""]),
    st.sampled_from(VALUES),
)
LINES = BINDINGS | st.sampled_from(["", "# zażółć", "junk", "=", "\x0b", "\u2028"])
FILES = st.builds(
    lambda lines, ends, last: "".join(a + b for a, b in zip(lines, ends, strict=False)) + last,
    st.lists(LINES, max_size=8),
    st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=8, max_size=8),
    LINES | st.just(""),
).map(str.encode)


@given(FILES | st.binary(max_size=80))
def test_whatever_a_file_holds_it_says_our_settings_afterwards_and_is_not_changed_twice(before: bytes) -> None:
    written = with_settings(before, SETTINGS)

    assert settings_of(written) == {**settings_of(before), **SETTINGS}
    assert with_settings(written, SETTINGS) == written


@given(FILES)
def test_lines_of_other_settings_stay_as_they_are(before: bytes) -> None:
    def others(content: bytes) -> list[bytes]:
        return [line for line in content.splitlines() if b"OLLAMA" not in line]

    # What stands between quotes may go over several lines, and those of ours go as a whole.
    if not {b"'", b'"'} & {before[index : index + 1] for index in range(len(before))}:
        assert others(with_settings(before, SETTINGS)) == others(before)


@given(FILES)
def test_python_dotenv_reads_the_same(before: bytes) -> None:
    written = with_settings(before, SETTINGS)

    assert settings_of(before) == read(before)
    assert read(written) == {**read(before), **SETTINGS}


def read(content: bytes) -> dict[str, str]:
    found = dotenv.dotenv_values(stream=io.StringIO(content.decode(), newline=""), interpolate=False)
    return {key: value or "" for key, value in found.items()}
