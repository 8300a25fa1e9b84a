"""How English-speaking business people ask: frames per shape, and words for measures, groups and filters."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import english_words as words
import rarer
from intents import Filter, Measure, Query
from wording import draw_frame, expand, fill


def phrase(query: Query, rng: random.Random, held_out: bool) -> str | None:
    """`query` as an English question in a frame of the wanted split, or None where none fits."""
    return English(query, rng).question(held_out)


class English:
    """One wording of one query: filters are said once, wherever the frame first gives them a place."""

    def __init__(self, query: Query, rng: random.Random) -> None:
        self.query, self.rng = query, rng
        self.left = list(query.filters)
        rng.shuffle(self.left)
        self.slots = query.slots
        measure = query.slots.get("measure") or (query.slots.get("measures") or [None])[0]
        self.context = query.slots.get("entity") or (words.CONTEXT.get(measure.key, "sale") if measure else "order")

    def question(self, held_out: bool) -> str | None:
        frames = [pattern for pattern in self.frames() if self._can_say(pattern)]
        frame = draw_frame(frames, self.rng, held_out)
        if frame is None:
            return None
        front = self._front() if self.rng.random() < 0.12 else ""
        text = fill(f"{front} {frame} {{f}}", self._holes())
        return self._noise(text)

    def frames(self) -> list[str]:
        shape, slots = self.query.shape, self.slots
        if shape in rarer.FRAMES:
            return rarer.FRAMES[shape](slots)
        return FRAMES[shape](slots) if shape in FRAMES else words.LOOKUP[shape]

    def _can_say(self, pattern: str) -> bool:
        if "{who}" in pattern and not self._people():
            return False
        if "{status}" in pattern and not any(f.kind == "status" and f.how == "is" for f in self.left):
            return False
        if "{signup}" in pattern and not any(f.kind == "signup" for f in self.left):
            return False
        goods = any(f.kind in ("product", "category") and f.how == "is" for f in self.left)
        if "{cols2}" in pattern and (
            len(self.slots["columns"]) < 2 or self.slots["columns"][0] not in ("name", "order_id")
        ):
            return False
        if "{pf}" in pattern and not any(f.kind in ("city", "country", "segment") for f in self.left):
            return False
        return (
            ("entity" in self.slots and "{thing}" not in pattern)
            or goods
            or not ("{things}" in pattern or "{thing}" in pattern)
        )

    def _people(self) -> list[Filter]:
        return [f for f in self.left if f.kind in ("customer", "city", "country", "segment") and f.how == "is"]

    def _holes(self) -> dict[str, Callable[[], str]]:
        s = self.slots
        return {
            "f": self._rest, "f0": self._rest, "a": self._before, "who": self._who, "things": self._things, "thing": self._thing,
            "status": lambda: self.say(words.STATUS_WORDS[self._take(lambda f: f.kind == "status").value]),
            "signup": lambda: self._period(self._take(lambda f: f.kind == "signup")),
            "m": lambda: self._noun(s["measure"]), "m2": lambda: self._brief(s["measure"]), "pf": self._people_after,
            "m3": lambda: self._counted(s["measure"]),
            "ms": lambda: self._several(s["measures"]),
            "q": lambda: fill(self.say(self.rng.choice(words.COUNT_QUESTIONS[s["measure"].key])), {"a": self._before}),
            "dim": lambda: self.say(words.DIM_NAMES[s["dim"].key][0]), "dims": lambda: self.say(words.DIM_NAMES[s["dim"].key][1]),
            "ad": self._before_group, "cols2": lambda: self._columns(s["columns"][1:]),
            "dimn": lambda: "name" if s["dim"].key in ("customer", "product") and self.rng.random() < 0.5 else self.say(words.DIM_NAMES[s["dim"].key][0]),
            "dim2": lambda: self.say(words.DIM_NAMES[s["dim2"].key][0]),
            "n": lambda: self._count(s["n"]),
            "best": lambda: self.say(words.BEST.get(s["measure"].key, words.BEST[""])[s["lowest"]]).replace("{m}", self._counted(s["measure"])),
            "more": lambda: self.say(words.MORE[s["how"]]), "more2": lambda: self.say(words.MORE2[s["how"]]),
            "t": lambda: self._number(s["threshold"]),
            "values": self._compared,
            "part": lambda: self._suffix(s["part"]), "part1": lambda: self._part_before(s["part"]),
            "cols": lambda: self._columns(s["columns"]),
            "most": lambda: self.say(words.EXTREME[s["entity"], s["down"]][0]),
            "thing1": lambda: self.say(words.ENTITY_WORDS[s["entity"]][0]), "things1": lambda: self.say(words.ENTITY_WORDS[s["entity"]][1]),
            "big": lambda: self.say(words.BIG[s["of"], s["lowest"]]),
            "by_of": lambda: self.say("[by value|by total value|in terms of value|by amount|]" if s["of"] == "value" else "[by units|by number of items|in number of items]"),
            "of": lambda: self.say("[value|total value|amount]" if s["of"] == "value" else "[units|items|number of items]"),
            "far": lambda: " ".join(self._far(f) for f in s["far"]),
            "one": lambda: self._done(s["done"][0]), "two": lambda: self._done(s["done"][1]),
            "beside": lambda: self.say("[above|above|over|higher than|more than]" if s["above"] else "[below|below|under|lower than|less than]"),
            "mark": lambda: "",
            "v": lambda: s["value"],
            "names": lambda: self.say("[||, names only|, just the names|? names only|. names please]"),
            **{name: lambda said=said: self.say(said) for name, said in s.get("say", {}).items()},
        }  # fmt: skip

    def say(self, pattern: str) -> str:
        return expand(pattern, self.rng)

    def _take(self, fits: Callable[[Filter], bool]) -> Filter:
        chosen = next(f for f in self.left if fits(f))
        self.left.remove(chosen)
        return chosen

    def _noun(self, measure: Measure, short: bool = False) -> str:
        pattern = self.rng.choice(words.NOUNS[measure.key][: 2 if short else None])
        return fill(self.say(pattern), {"a": (lambda: "") if short else self._before})

    def _brief(self, measure: Measure) -> str:
        """Once the measure has been named."""
        if self.rng.random() < 0.4:
            return self._noun(measure, short=True)
        if measure.key in ("orders", "customers", "buyers", "products", "cities", "lines", "products_sold"):
            return self.say("[count|the count|number|counts|the number|how many]")
        if measure.key == "units":
            return self.say("[units|the number of units|number of units|quantity|the units]")
        if measure.key in ("first_order", "last_order", "first_signup", "last_signup"):
            return self.say("[date|the date]")
        if "price" in measure.key:
            return self.say("[price|the price|average]")
        return self.say("[amount|the amount|total|the total|value|revenue|sum|figure]")

    def _people_after(self) -> str:
        """City, country and segment right behind "customers"."""
        said = []
        context, self.context = self.context, "customer"
        for f in [f for f in self.left if f.kind in ("city", "country", "segment", "signup")]:
            if f.kind != "signup" or self.slots.get("entity") == "customer":
                self.left.remove(f)
                said.append(self._suffix(f))
        self.context = context
        return " ".join(said)

    def _counted(self, measure: Measure) -> str:
        """After "the most" or "more than 5"."""
        nouns = {
            "revenue": "[revenue|sales|turnover|in sales|in revenue|income]", "units": "[units sold|items sold|units|pieces sold]",
            "orders": "[{a} orders|{a} orders|purchases]", "buyers": "[buyers|different customers|distinct buyers|customers who ordered]",
            "customers": "[{a} customers|customers|clients]", "products": "[{a} products|products|items]",
            "products_sold": "different products sold",
        }  # fmt: skip
        if measure.key not in nouns:
            return self._noun(measure, short=True)
        return fill(
            self.say(nouns[measure.key]).replace("in ", "in " if "how" in self.slots else ""), {"a": self._before}
        )

    def _several(self, measures: list[Measure]) -> str:
        nouns = [self._noun(measure, short=True) for measure in measures]
        return ", ".join(nouns[:-1]) + self.rng.choice([" and ", " and ", " and the ", ", "]) + nouns[-1]

    def _before(self) -> str:
        """A filter as an adjective, where one fits before the noun."""
        kinds = words.BEFORE.get(self.context, ()) if self.context != "sale" else words.BEFORE["sale"]
        if self._measure_key() in ("orders", "order_value", "items_per_order", "first_order", "last_order"):
            kinds = words.BEFORE["order"] + (("date",) if self.rng.random() < 0.15 else ())
        if self._measure_key() == "buyers":
            kinds = words.BEFORE["customer"]
        fitting = [f for f in self.left if f.kind in kinds and f.how in ("is", "year")]
        if not fitting or self.rng.random() < 0.35:
            return ""
        chosen = fitting[0]
        word = self._adjective(chosen)
        if not word:
            return ""
        self.left.remove(chosen)
        return word

    def _before_group(self) -> str:
        """ "German" of German customers, "Toys" of Toys products, where those are ranked."""
        kinds = {"customer": words.BEFORE["customer"], "product": ("category",), "month": ("date",)}.get(
            self.slots["dim"].key, ()
        )
        for f in self.left:
            if (
                f.kind in kinds
                and f.how in ("is", "year")
                and self.rng.random() < 0.65
                and (word := self._adjective(f))
            ):
                self.left.remove(f)
                return word
        return ""

    def _measure_key(self) -> str:
        return self.slots["measure"].key if "measure" in self.slots else ""

    def _adjective(self, f: Filter) -> str:
        if f.kind == "country":
            return self.say(words.DEMONYMS[f.value]) if f.value in words.DEMONYMS else ""
        if f.kind == "channel":
            return self.say(words.CHANNEL_BEFORE[f.value])
        if f.kind == "status":
            return self.say(words.STATUS_WORDS[f.value])
        if f.kind == "date":
            return str(f.value[0])
        return f.value

    def _who(self) -> str:
        people = self._people()
        chosen = next((f for f in people if f.kind == "customer"), people[0])
        self.left.remove(chosen)
        others = [f for f in self.left if f.kind in ("country", "city") and f.how == "is"]
        if chosen.kind == "customer":
            prefix = self.rng.choice(["", "", "", "", "customer ", "our customer "])
            if others and self.rng.random() < 0.6:
                self.left.remove(others[0])
                return f"{prefix}{chosen.value} from {self._place(others[0])}"
            return prefix + chosen.value
        noun = self.say("[customers|customers|clients|people|buyers|our customers]")
        if chosen.kind == "segment":
            return self.say(
                f"[{chosen.value} {noun}|{noun} in the {chosen.value} segment|{noun} from the {chosen.value} segment|the {chosen.value} segment]"
            )
        if chosen.kind == "country" and self.rng.random() < 0.4 and (word := self._adjective(chosen)):
            return f"{word} {noun.removeprefix('our ')}"
        return f"{noun} {self.say('[from|in|from|living in|based in]')} {self._place(chosen)}"

    def _things(self) -> str:
        """The rows listed, or the goods of a filter in the plural."""
        if "entity" in self.slots:
            return self.say(words.ENTITY_WORDS[self.slots["entity"]][1])
        chosen = self._take(lambda f: f.kind in ("product", "category") and f.how == "is")
        if chosen.kind == "product":
            return self.say(
                f"[{plural(chosen.value)}|{plural(chosen.value)}|{plural(chosen.value)}|{chosen.value}|the {chosen.value}|the product {chosen.value}]"
            )
        return self.say(
            f"[{chosen.value}|{chosen.value}|the {chosen.value}|{chosen.value} products|the {chosen.value} category|products from {chosen.value}|{chosen.value} items|products in the {chosen.value} category]"
        )

    def _thing(self) -> str:
        chosen = self._take(lambda f: f.kind in ("product", "category") and f.how == "is")
        if chosen.kind == "product":
            return self.say(
                f"[{chosen.value}|{chosen.value}|{plural(chosen.value)}|the {chosen.value}|the product {chosen.value}]"
            )
        return self.say(
            f"[{chosen.value}|{chosen.value} products|something from {chosen.value}|something from the {chosen.value} category|products in {chosen.value}|anything in the {chosen.value} category|an item from the {chosen.value} category]"
        )

    def _count(self, number: int) -> str:
        return words.NUMBER_WORDS[number] if number in words.NUMBER_WORDS and self.rng.random() < 0.35 else str(number)

    def _number(self, number: int) -> str:
        if number >= 1000 and self.rng.random() < 0.25:
            return f"{number:,}" if self.rng.random() < 0.6 or number % 1000 else f"{number // 1000}k"
        return self._count(number)

    def _compared(self) -> str:
        said = [self._value_of(self.slots["dim"].key, value) for value in self.slots["compared"]]
        word = self.rng.choice([" and ", " and ", " vs ", " versus ", " vs. ", " and the "[:5]])
        if len(said) == 3:
            if self.rng.random() < 0.2:
                return ", ".join(said)
            return f"{said[0]}, {said[1]}{word}{said[2]}" if word == " and " else word.join(said)
        return word.join(said)

    def _value_of(self, kind: str, value: str) -> str:
        if kind == "country" and value in words.ALSO_CALLED and self.rng.random() < 0.4:
            return self.rng.choice(words.ALSO_CALLED[value])
        if kind == "channel":
            return self.say(words.CHANNEL_BEFORE[value])
        if kind == "product" and self.rng.random() < 0.3:
            return plural(value)
        return value

    def _part_before(self, part: Filter) -> str:
        if part.kind == "status" and part.value == "cancelled":
            return self.say("[cancelled|cancellation|canceled]")
        if part.kind == "status" and part.value == "returned":
            return self.say("[returned|return]")
        return self._adjective(part) or part.value

    def _columns(self, columns: list[str]) -> str:
        said = [self.say(words.COLUMN_WORDS[self.slots["entity"]][column]) for column in columns]
        return (
            said[0]
            if len(said) == 1
            else ", ".join(said[:-1]) + self.rng.choice([" and ", " and ", " and the ", " + ", ", "]) + said[-1]
        )

    def _rest(self) -> str:
        said = [self._suffix(f) for f in self.left]
        self.left.clear()
        return " ".join(said)

    def _front(self) -> str:
        period = next((f for f in self.left if f.kind == "date"), None)
        if period is None:
            return ""
        self.left.remove(period)
        text = self._period(period)
        return text + self.rng.choice([",", ",", ":", ""]) if text else ""

    def _far(self, f: Filter) -> str:
        context, self.context = self.context, "sale"
        text = self._suffix(f)
        self.context = context
        return text

    def _done(self, f: Filter) -> str:
        if f.kind == "date":
            return str(f.value[0])
        if f.kind == "category":
            return self.say(
                f"[something from {f.value}|{f.value}|{f.value} products|something from the {f.value} category]"
            )
        if f.kind == "channel":
            return self.say(words.CHANNEL_AFTER[f.value])
        return self.say(f"[{f.value}|{f.value}|{plural(f.value)}]")

    def _place(self, f: Filter) -> str:
        if f.value in words.ALSO_CALLED and self.rng.random() < 0.4:
            return self.rng.choice(words.ALSO_CALLED[f.value])
        return f.value

    def _suffix(self, f: Filter) -> str:
        if f.kind in ("date",):
            return self._period(f)
        if f.kind == "signup":
            return (
                self.say(
                    "[who signed up|that signed up|who registered|who joined|registered|who joined us|signed up|with signup date|with a signup]"
                )
                + " "
                + self._period(f)
            )
        if f.kind == "price":
            return self._price(f)
        if f.how in ("in", "not_in"):
            several = [self._value_of(f.kind, value) if f.kind == "country" else value for value in f.value]
            joined = ", ".join(several[:-1]) + f" {self.rng.choice(['or', 'and', 'or'])} {several[-1]}"
            if f.how == "in":
                return self.say(words.AFTER_IN[self._where()][f.kind]).replace("@", joined)
            return (
                self.say(words.AFTER_NOT_IN.get(f.kind, words.AFTER_NOT[f.kind]))
                .replace("@", joined)
                .replace("%", " nor ".join(several))
            )
        if f.how == "not":
            return self.say(words.AFTER_NOT[f.kind]).replace(
                "@", self._value_of(f.kind, f.value) if f.kind == "country" else f.value
            )
        if f.kind == "channel":
            return self.say(
                words.CHANNEL_AFTER[f.value]
                if self.rng.random() < 0.7
                else f"[through|via|in|on|from] [the|] {f.value} [channel|orders|channel]"
            )
        if f.kind == "status":
            return self.say(words.AFTER[self._where()]["status"]).replace("@", self.say(words.STATUS_WORDS[f.value]))
        value = self._place(f) if f.kind == "country" else f.value
        if f.kind == "product" and self.rng.random() < 0.3:
            value = plural(value)
        if f.kind == "country" and self._where() == "sale" and f.value in words.DEMONYMS and self.rng.random() < 0.2:
            return self.say(f"[from|by|of|for] {words.DEMONYMS[f.value]} [customers|clients|buyers]")
        return self.say(words.AFTER[self._where()][f.kind]).replace("@", value)

    def _where(self) -> str:
        return self.context if self.context in words.AFTER else "sale"

    def _price(self, f: Filter) -> str:
        money = self.rng.choice(["", "", "", "", "", " euros", " EUR", " dollars"])
        if f.how == "between":
            pattern = "[cost between|priced between|with a price between|costing between|between|that cost between|with prices between] @ and %|[priced from|costing|from|with prices from] @ to %"
            return (
                self.say("[" + self.say(pattern).replace("|", "|") + "]")
                .replace("@", f.value[0])
                .replace("%", f.value[1])
                + money
            )
        return self.say(words.PRICE[f.how]).replace("@", f.value) + money

    def _period(self, f: Filter) -> str:
        how, v = f.how, f.value
        if how == "compared":
            return ""
        if how == "year":
            return self.say(
                f"[in|in|in|in|in|during|for|in the year|throughout|from|||in all of|of|over the year|over the course of|for the year|in the whole of|made in|in the calendar year|within|for all of] {v[0]}"
            )
        if how == "years":
            two = f"[in|in|for|across|in both] {v[0]} [and|or] {v[1]}" if v[1] == v[0] + 1 else f"from {v[0]} to {v[1]}"
            return self.say(
                f"[between {v[0]} and {v[1]}|from {v[0]} to {v[1]}|{two}|from {v[0]} through {v[1]}|in the years {v[0]} to {v[1]}|in {v[0]}-{v[1]}]"
            )
        if how in ("month", "months") and (how == "month" or v[1] == v[2]):
            month = self._month(v[1])
            return (
                self.say(f"[in|in|in|during|for|in the month of|] {month} [{v[0]}|{v[0]}|{v[0]}|of {v[0]}|,{v[0]}]")
                if self.rng.random() < 0.9
                else self.say(f"[in|for|during|] [{v[0]}-{v[1]:02}|{v[1]:02}/{v[0]}|{v[0]}-{v[1]:02}]")
            )
        if how == "months":
            first, last = self._month(v[1]), self._month(v[2])
            return self.say(
                f"[between {first} and {last} {v[0]}|from {first} to {last} {v[0]}|from {first} through {last} {v[0]}|from {first} until the end of {last} {v[0]}|{first} to {last} {v[0]}|between {first} {v[0]} and {last} {v[0]}]"
            )
        if how == "quarter":
            ordinal = ["first", "second", "third", self.rng.choice(["fourth", "last", "final"])][v[1] - 1]
            return self.say(
                f"[in|in|during|for||over] [Q{v[1]} {v[0]}|{ordinal} quarter {v[0]}|{ordinal} quarter of {v[0]}|{v[0]}-Q{v[1]}|Q{v[1]}/{v[0]}|Q{v[1]} of {v[0]}|the {ordinal} quarter of {v[0]}|the {ordinal} quarter of {v[0]}|{v[0]} Q{v[1]}|quarter {v[1]} of {v[0]}]"
            )
        if how == "half":
            return self.say(
                f"[in|during|for] [the {['first', 'second'][v[1] - 1]} half of {v[0]}|the {['first', 'second'][v[1] - 1]} half of {v[0]}|the {['first', 'second'][v[1] - 1]} six months of {v[0]}|H{v[1]} {v[0]}|the {['first', 'second'][v[1] - 1]} half of the year {v[0]}]"
            )
        if how == "days":
            first, last = self._day(v[0]), self._day(v[1])
            return self.say(
                f"[between {first} and {last}|from {first} to {last}|from {first} until {last}|from {first} through {last}|between {first} and {last} inclusive]"
            )
        edge = (
            self._day(v[0])
            if how.endswith("_day")
            else f"{self._month(v[1])} {v[0]}"
            if how.endswith("_month")
            else str(v[0])
        )
        return self.say(words.PERIOD_EDGE[how]).replace("@", edge)

    def _month(self, number: int) -> str:
        return words.MONTHS[number - 1] if self.rng.random() < 0.85 else words.MONTHS[number - 1][:3]

    def _day(self, day: date) -> str:
        month, ordinal = (
            self._month(day.month),
            {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}.get(day.day, "th"),
        )
        return self.say(
            f"[{day}|{day}|{day.day} {month} {day.year}|{month} {day.day}, {day.year}|{day.day}{ordinal} of {month} {day.year}|{month} {day.day}{ordinal}, {day.year}|{month} {day.day} {day.year}]"
        )

    def _noise(self, text: str) -> str:
        rng = self.rng
        text = text.strip(" ,:-")
        tail = ""
        if rng.random() < 0.2:
            text = f"{expand(rng.choice(words.CHATTER if rng.random() < 0.4 else words.SMALL_TALK), rng)} {text}"
        if rng.random() < 0.11:
            tail = " " + expand(rng.choice(words.AFTERTHOUGHT), rng)
        if rng.random() < 0.06:
            text = re.sub(r"\b(the|our|a|an|do|did|of) ", "", text)
        asks = re.match(
            r"(what|which|who|how|when|in which|in what|where|is|are|can|could|do|does|on which|through which)\b", text
        )
        ending = rng.choice(["?", "?", "?", ""]) if asks else rng.choice([".", "", "", "", "?"])
        text = (text + tail).strip() + ("" if tail.startswith("?") or text.endswith(("?", ".")) else ending)
        text = (
            re.sub(r"\s+([,.?:])", r"\1", re.sub(r"\s+", " ", text))
            .replace(" i ", " I ")
            .replace("i'd", "I'd")
            .replace("i'm", "I'm")
        )
        text = re.sub(r"([,.?:])(?:\s*[,?])+", r"\1", text)
        draw = rng.random()
        if draw < 0.62:
            return text[:1].upper() + text[1:]
        return text.lower() if draw < 0.82 else text


def plural(name: str) -> str:
    if name.endswith("s"):
        return name
    if name.endswith("shelf"):
        return name[:-1] + "ves"
    if re.search(r"[^aeiou]y$", name):
        return name[:-1] + "ies"
    return name + ("es" if re.search(r"(sh|ch|x)$", name) else "s")


def _named(key: tuple[str, ...], table: dict[Any, list[str]]) -> list[str]:
    return table.get(key, [])


def _grouped(s: dict[str, Any]) -> list[str]:
    key, dim = s["measure"].key, s["dim"].key
    if dim.startswith("signup"):
        frames = words.TIMELY[dim] * 2 + words.GROUPED[:6]
    else:
        frames = words.GROUPED + words.TIMELY.get(dim, []) * 2
        frames = [f for f in frames if "{q}" not in f or key in words.COUNT_QUESTIONS]
    frames = [
        f
        for f in frames
        if not f.startswith(("how [many|much]", "[how many|how much]"))
        or key in ("orders", "revenue", "customers", "units")
    ]
    if dim == "month":
        frames = frames + [f"{frame} {tail}" for frame in frames for tail in words.MONTH_FORM[:1]]
    if s["order"] == "desc":
        s.setdefault("lowest", False)
        frames = (
            frames
            + [
                "[which|what] {dim} [has|had|earns|gets|shows] the {best} {f} ? [rank|order|sort] [all|all of them|them all|all {dims}] [by {m}|] [, with the {m2}|with the {m2}|]",
                "[rank|sort|order] [all|all our|our|the] {dims} by {m} {f} [, with the {m2}|and show the {m2}|with the {m2}|, {dim} and {m2}]",
                "[full|complete|] ranking of [all|our|the] {dims} by {m} {f}",
            ]
            * max(1, len(frames) // 9)
            + ["rank [all|the|our|] {dims} by {m} {f}"] * (len(frames) // 3)
        )
    if s["order"]:
        return [f"{frame} {tail}" for frame in frames for tail in words.SORTED[s["order"]]] + [
            f for f in frames if f.startswith("rank ")
        ] * 4
    return frames * 6 + [f"{frame} {tail}" for frame in frames for tail in words.SPELL_OUT]


def _ranked(s: dict[str, Any]) -> list[str]:
    key = (s["measure"].key, s["dim"].key, s["lowest"])
    one = s["n"] == 1
    general = (
        (words.RANKED_ONE_LOW if s["lowest"] else words.RANKED_ONE)
        if one
        else (words.RANKED_LOW if s["lowest"] else words.RANKED)
    )
    special = _named(key, words.VERBS if one else words.VERBS_MANY)
    frames = general + special * max(1, len(general) // max(1, len(special)))
    tails = {"nothing": [""], "only": words.ONLY, "both": words.BOTH}[s["said"]]
    if s["dim"].key == "month" and s["said"] == "only":
        tails = tails + words.MONTH_FORM * 3
    return [f"{frame} {tail}" for frame in frames for tail in tails]


def _having(s: dict[str, Any]) -> list[str]:
    key = (s["measure"].key, s["dim"].key)
    countable = s["measure"].key in ("orders", "customers", "units", "buyers", "products", "revenue")
    frames = (words.HAVING if countable else words.HAVING[3:]) + _named(key, words.HAVING_VERBS) * 3
    tails = {"nothing": [""], "only": words.ONLY, "both": words.BOTH}[s["said"]]
    said = [f"{frame} {tail}" for frame in frames for tail in tails]
    if s["said"] == "both" and countable:
        said += [
            "[|show |list |give me ][|the ][name|names|{dimn}] and {m2} of {ad} {dims} [with|having] {more} {t} {m3} {f}"
        ] * 12
    return said


def _count_having(s: dict[str, Any]) -> list[str]:
    countable = s["measure"].key in ("orders", "customers", "units", "buyers", "products", "revenue")
    return (words.COUNT_HAVING if countable else words.COUNT_HAVING[2:]) + _named(
        (s["measure"].key, s["dim"].key), words.COUNT_HAVING_VERBS
    ) * 2


def _share(s: dict[str, Any]) -> list[str]:
    frames = words.SHARES_OF[s["measure"].key]
    frames = [f for f in frames if " rate" not in f or s["part"].kind == "status"]
    by = "[by|per|for each] {dim}" if s["dim"] else ""
    return [
        f"{frame} {by} {tail}" for frame in frames for tail in (words.PERCENT_TAIL if s["percent"] else words.RATIO)
    ]


def _listed(s: dict[str, Any]) -> list[str]:
    frames = words.LISTED_COLUMNS if s["columns"] else words.LISTED
    if s["far"] and s["entity"] in words.LISTED_FAR:
        frames = words.LISTED_FAR[s["entity"]]
        if s["columns"]:
            frames = [
                f + tail
                for f in frames
                for tail in (
                    "[ ,| -| ?|.] {cols}",
                    " ({cols})",
                    " - just {cols}",
                    ", {cols} only",
                    "[?|.|,] [unique|distinct] {cols}",
                    "[?|.] [give me|show|i need] [the|] {cols}",
                )
            ]
            frames += words.LISTED_COLUMNS
    if s["order"]:
        return [
            f"{frame} {tail}"
            for frame in frames
            for tail in words.ROW_SORT.get(
                s["order"],
                [f"sorted by {s['order'][0].replace('_', ' ')}" + (" descending" if s["order"][1] == "desc" else "")],
            )
        ]
    return frames


def _extreme(s: dict[str, Any]) -> list[str]:
    key = (s["entity"], s["down"])
    frames = words.EXTREME_MANY if s["n"] > 1 else words.EXTREME_ONE + _named(key, words.EXTREME_VERBS) * 2
    tails = [""] if s["said"] == "nothing" else words.EXTREME_SAID[s["entity"], s["said"]]
    return [f"{frame} {tail}" for frame in frames for tail in tails]


def _top_orders(s: dict[str, Any]) -> list[str]:
    tails = {"nothing": [""], "only": ["[, |- |][just|only] the order id", "[, |- |]order ids only", "[, |- |]id only"],
             "both": ["[, |- |][with|and] [the|their|its|] {of}", "[, |- |]order id and [the|] {of}", "? order id and {of}"]}[s["said"]]  # fmt: skip
    return [
        f"{frame} {tail}"
        for frame in (words.TOP_ORDERS_ONE if s["n"] == 1 else words.TOP_ORDERS_MANY)
        for tail in tails
    ]


def _orders_over(s: dict[str, Any]) -> list[str]:
    s["how"] = "below" if s["lowest"] else "above"
    tails = {"nothing": [""], "only": ["[, |- |][just|only] the order ids", "[, |- |]ids only"],
             "both": ["[, |- |][with|and] [the|their|] {of}", "[, |- |]order id and {of}", "? order id and {of}"]}[s["said"]]  # fmt: skip
    return [f"{frame} {tail}" for frame in words.ORDERS_OVER[s["of"]] for tail in tails]


def _orders_over_count(s: dict[str, Any]) -> list[str]:
    s["how"] = "below" if s["lowest"] else "above"
    frames = words.ORDERS_OVER_COUNT[s["of"]]
    return [f for f in frames if "exceed" not in f] if s["lowest"] else frames


def _absent(s: dict[str, Any]) -> list[str]:
    frames = words.ABSENT[s["entity"]]
    tails = (
        "[ ,| -| ?|.] {cols}",
        " ({cols})",
        "[,| -|?|.] {cols} [only|please|are enough]",
        "[?|.|,] [just|only|i need|give me|show] [the|] {cols}",
    )
    return [f + tail for f in frames for tail in tails] if s["columns"] else frames


def _both(s: dict[str, Any], table: dict[Any, list[str]]) -> list[str]:
    frames = table["year" if s["kind"] == "year" else "product", s["negated"]]
    if table is words.BOTH_DONE:
        frames = [
            f + tail
            for f in frames
            for tail in ("", "", " (names)", "[, |? |- |. ][names only|just the names|names please|only names|names]")
        ]
    return [f.replace("[a|] ", "").replace("[a|]", "") for f in frames] if s["kind"] != "product" else frames


def _beside(s: dict[str, Any]) -> list[str]:
    frames = [
        words.BESIDE_AVERAGE[0],
        words.BESIDE_AVERAGE[2],
        words.BESIDE_AVERAGE[1].replace("[more|less]", "more" if s["above"] else "less"),
    ]
    s["entity"] = "product"
    return (
        [f + tail for f in frames for tail in ("[ ,| -| ?|.] {cols}", " ({cols})", ", {cols} only")]
        if s["columns"]
        else frames
    )


def _scalar(s: dict[str, Any]) -> list[str]:
    key = s["measure"].key
    if key in ("orders", "customers", "products"):
        # "show the orders" asks for rows; only a number says that they are counted.
        noun = words.NOUNS[key][0].replace(
            "[number|total number|count]", "[number|number|total number|count|total count]"
        )
        return [
            f"{words.ASK} [the|our|] {noun} {{f}}",
            f"{noun} {{f}}",
            "{a} " + key[:-1] + " count {f}",
        ] + words.QUESTIONS[key] * 2
    asked = [
        f"{words.ASK} [the|our|] {{m}} {{f}}",
        f"{words.ASK} [the|our|] {{m}} {{f}}",
        "{m} {f}",
        "[what is|what's|what was|what were|what are] [the|our] {m} {f}",
        "[calculate|compute|show|give me|tell me|find|get|report] [the|our|] {m} {f}",
    ]
    asked += [
        "{m} {f} [in total|altogether|overall|, in total|, one number|? just the number|- one number|. one figure is fine|? one total number is fine|. just one number please|? i only need the number|. a single figure|- one total number is enough|so far|, all together]"
    ]
    return asked * 2 + words.QUESTIONS.get(key, []) * 2


FRAMES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "scalar": _scalar,
    "grouped": _grouped,
    "two_dims": lambda s: [f for f in words.TWO_DIMS if "{q}" not in f or s["measure"].key in words.COUNT_QUESTIONS],
    "two_measures": lambda s: words.TWO_MEASURES_BY if s["dim"] else words.TWO_MEASURES,
    "ranked": _ranked,
    "ranked_one": _ranked,
    "having": _having,
    "count_having": _count_having,
    "compare": lambda s: words.COMPARE,
    "share": _share,
    "share_by": _share,
    "shares": lambda s: words.SHARES,
    "listed": _listed,
    "extreme": _extreme,
    "top_orders": _top_orders,
    "order_figure": lambda s: words.ORDER_FIGURE[s["of"], s["lowest"]],
    "orders_over": _orders_over,
    "orders_over_count": _orders_over_count,
    "absent": _absent,
    "absent_count": lambda s: words.ABSENT_COUNT[s["entity"]],
    "both": lambda s: _both({**s}, words.BOTH_DONE) if s.setdefault("entity", "customer") else [],
    "both_count": lambda s: _both({**s}, words.BOTH_COUNT) if s.setdefault("entity", "customer") else [],
    "beside_average": _beside,
    "beside_average_count": lambda s: words.BESIDE_COUNT,
    "distinct": lambda s: [
        f"{frame} {tail}"
        for frame in words.DISTINCT[s["dim"].key]
        for tail in (words.SORTED_NAMES if s["ordered"] else [""])
    ],
}
