"""HTML that cannot be broken by what it shows: text becomes markup only by being escaped."""

from __future__ import annotations

from html import escape


class Html(str):
    """Markup. Any other text is escaped where it becomes a part of it."""

    __slots__ = ()


def element(name: str, *content: str | None, **attributes: str | bool | None) -> Html:
    """One element. An attribute's final underscore is dropped (`class_`); True has no value, None and False are no
    attribute.

    Values go between double quotes, so this is not for attributes that are code (`onclick`) or styles.
    """
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{shown}>{joined(*content)}</{name}>")


def joined(*content: str | None) -> Html:
    """Parts one after another; None is nothing."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in content if part is not None))
