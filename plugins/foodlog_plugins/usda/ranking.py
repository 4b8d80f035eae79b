"""Choosing the record a query means among the hits of a search, or none.

FoodData Central finds descriptions that share a word with the query; most are of other foods.
A description reads "Head, kind, kind, ..., state": its food stands at the end of the first
segment ("Peanut butter"), or follows where the first segment is only a class ("Fish, salmon").
A hit is taken only where that food is the query's and nothing is added that makes it another;
among those the plainest wins. A wrong food is worse than none.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

from foodlog.dishes import canonical, normalise
from foodlog.models import FoodQuery
from foodlog_plugins.usda import vocabulary as v
from foodlog_plugins.usda.parsing import Record
from foodlog_plugins.usda.plausibility import plausible

_PART_SEGMENTS = 5
"""A cut may stand as far back as this: "Pork, fresh, loin, blade (chops)"."""
_NEVER_SEGMENTS = 6
_SEARCHES_FOR_PLAINER = 2
_LONGEST_NAME = 200
_LEAST = -8.0
_PLAIN = -2.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A query, read."""

    required: frozenset[str]
    head: str
    bases: frozenset[str]
    """What the food is made of where it goes without saying."""
    optional: frozenset[str]
    state: str | None
    strict: bool
    """Whether the state was asked for, not guessed."""

    @property
    def asked(self) -> frozenset[str]:
        return self.required | self.optional | self.bases


@dataclass(frozen=True, slots=True)
class _Segment:
    """What stands between two commas."""

    core: tuple[str, ...]
    """The words of the food itself, up to the first link word."""
    heads: frozenset[str]
    free: frozenset[str]
    """Words beside an "or": one of several names."""
    rest: frozenset[str]
    """Behind a link word or in brackets."""
    brand: bool


def choose(query: FoodQuery, hits: Sequence[Record]) -> Record | None:
    """The hit that is the food asked for; None where no hit surely is.

    ``hits``: of one search, best first as FoodData Central sees it.
    """
    return choose_from(query, [hits])


def choose_from(query: FoodQuery, searches: Iterable[Sequence[Record]]) -> Record | None:
    """The same over several searches, most trusted first; asks for the next only where needed.

    A variety nobody asked for (low in sodium, canned, with vegetables) does not end the search
    for a plainer record; it is taken where there is none.
    """
    wanted = _read(query)
    best: tuple[float, Record] | None = None
    if wanted is None:
        return None
    for asked, hits in enumerate(searches, 1):
        found = _best(wanted, hits)
        if found and (best is None or found[0] > best[0]):
            best = found
        if best and (best[0] >= _PLAIN or asked >= _SEARCHES_FOR_PLAINER):
            break
    return best[1] if best else None


def _best(wanted: _Wanted, hits: Sequence[Record]) -> tuple[float, Record] | None:
    scored = (
        (score - place * 0.04, hit)
        for place, hit in enumerate(hits)
        if plausible(hit) and (score := _score(wanted, hit)) is not None
    )
    return max(scored, key=itemgetter(0), default=None)


def search_text(name: str) -> str:
    """The words to search for: no punctuation, and the American name of a food with several.

    Empty where no word of the name can be a food.
    """
    typed = normalise(name).split()
    typed = typed[len(typed) - len(_unmeasured(canonical(name).split())) :]
    words = [canonical(word) for word in typed]
    if not set(words) - v.STOP - v.NOT_FOOD:
        return ""
    return " ".join(_replace(words, v.SYNONYMS, typed))


def _read(query: FoodQuery) -> _Wanted | None:
    words = _unmeasured(_tokens(query.name[:_LONGEST_NAME]))
    content = [w for w in words if w not in v.STOP]
    states = [w for w in content if w in v.RAW or w in v.SOFT_METHODS]
    named = _named([w for w in [*words[:1], *_before_link(words[1:])] if w in content], states)
    if not named or _no_food(named):
        return None
    head = named[-1]
    optional = frozenset(w for w in content if w in v.FILLERS and w != head) | frozenset(states)
    required = frozenset(content) - optional
    bases = v.BASES.get(head, frozenset())
    if head in v.PARTS:
        bases = bases.union(named[:-1], *(v.BASES.get(w, ()) for w in named))
    state, strict = _wanted_state(query, states, required | bases)
    return _Wanted(required, head, bases, optional, state, strict)


def _named(words: Sequence[str], states: Sequence[str]) -> list[str]:
    """The words up to the noun that names the food."""
    named = [w for w in words if w not in states]
    while len(named) > 1 and named[-1] in v.TRAILING:
        named.pop()
    return named


def _no_food(named: Sequence[str]) -> bool:
    """Whether what is named is an adjective, a part of something, or no food at all."""
    if named[-1] in v.NOT_FOOD | v.HARD_METHODS or v.ADJECTIVES.issuperset(named):
        return True
    return len(named) == 1 and named[0] in v.PARTS - v.BASES.keys()


def _wanted_state(
    query: FoodQuery, states: Iterable[str], words: frozenset[str]
) -> tuple[str | None, bool]:
    if query.state in {"raw", "cooked"}:
        return query.state, True
    if states := list(states):
        return ("raw" if states[0] in v.RAW else "cooked"), True
    if words & v.COOKED_BY_DEFAULT:
        return "cooked", False
    return ("raw" if words & v.RAW_BY_DEFAULT else None), False


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    """The words of a text, one for each thing; segments of descriptions recur from hit to hit."""
    return tuple(_replace(_replace(canonical(text).split(), v.SYNONYMS), v.COMPOUNDS))


def _replace(
    words: Sequence[str],
    table: Mapping[tuple[str, ...], tuple[str, ...]],
    shown: Sequence[str] | None = None,
) -> list[str]:
    """The words with the phrases of ``table`` replaced; of others what is ``shown`` for them."""
    result: list[str] = []
    at = 0
    while at < len(words):
        size = next((n for n in (3, 2, 1) if tuple(words[at : at + n]) in table), 0)
        if size:
            result.extend(table[tuple(words[at : at + size])])
        else:
            result.append((shown or words)[at])
        at += size or 1
    return result


def _unmeasured(words: Sequence[str]) -> Sequence[str]:
    """Without a measure in front: "glass of milk" is milk."""
    if "of" in words[:4]:
        at = words.index("of")
        if at and words[at - 1] in v.MEASURES:
            return words[at + 1 :]
    return words


def _before_link(words: Sequence[str]) -> list[str]:
    at = next((i for i, word in enumerate(words) if word in v.LINKS), len(words))
    return list(words[:at])


def _segments(hit: Record, asked: frozenset[str]) -> list[_Segment]:
    text = hit.description
    shouting = text.upper() == text
    return [
        segment
        for part in re.split(r"[,;](?![^(]*\))", text)[:12]
        if (segment := _segment(part, asked, shouting)) is not None
    ]


def _segment(text: str, asked: frozenset[str], shouting: bool) -> _Segment | None:
    outside = re.sub(r"\([^)]*\)?", " ", text)
    inside = " ".join(re.findall(r"\(([^)]*)", text))
    plain, brand = (outside, False) if shouting else _without_brand(outside, asked)
    words = _tokens(plain.replace("/", " or "))
    if not words and not brand and not inside:
        return None
    core = _before_link(words)
    free = frozenset(_alternatives(core, asked))
    food = [w for w in core if w not in v.STOP]
    rest = frozenset(words[len(core) :]) | frozenset(_tokens(inside))
    return _Segment(tuple(food), _heads(core), free, rest - v.STOP, brand)


def _alternatives(core: Sequence[str], asked: frozenset[str]) -> Iterator[str]:
    """The other names beside an "or" of a food that was asked for."""
    for i, word in enumerate(core):
        if word == "or" and 0 < i < len(core) - 1:
            left, right = core[i - 1], core[i + 1]
            if right in asked:
                yield left
            if left in asked:
                yield right


def _without_brand(text: str, asked: frozenset[str]) -> tuple[str, bool]:
    """Without words in capitals, unless the query names one of them."""
    words = text.split()
    loud = [w for w in words if _loud(w)]
    if not loud or asked & set(_tokens(" ".join(loud))):
        return text, False
    return " ".join(w for w in words if not _loud(w)), True


def _loud(word: str) -> bool:
    letters = [c for c in word if c.isalpha()]
    upper = sum(c.isupper() for c in letters)
    return upper >= 3 and upper >= len(letters) - 2 and word not in {"NFS", "USDA", "BBQ"}


def _heads(core: Sequence[str]) -> frozenset[str]:
    """The last noun of each alternative."""
    heads: set[str] = set()
    for part in _split(core, {"or", "and"}):
        while len(part) > 1 and part[-1] in v.GENERIC_ENDINGS | v.RAW | v.COOKED:
            part = part[:-1]
        if part:
            heads.add(part[-1])
            if part[-1] in v.PARTS and len(part) > 1:
                heads.add(part[-2])
    return frozenset(heads)


def _split(words: Sequence[str], marks: set[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for word in words:
        if word in marks:
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _score(wanted: _Wanted, hit: Record) -> float | None:
    """How plainly the hit is the food wanted; None where it is not."""
    segments = _segments(hit, wanted.asked)
    found = _place(wanted, segments)
    if found is None or not _covered(wanted, segments):
        return None
    anchor, named = found
    if _changed(wanted, segments, anchor, named) or not _state_agrees(wanted, segments):
        return None
    score = _preference(wanted, segments, anchor, named)
    return score if score >= _LEAST else None


def _covered(wanted: _Wanted, segments: Sequence[_Segment]) -> bool:
    said = frozenset().union(*(frozenset(s.core) | s.rest for s in segments))
    return all(_said(word, said) for word in wanted.required)


def _said(word: str, said: frozenset[str]) -> bool:
    return word in said or bool(v.ALTERNATIVES.get(word, frozenset()) & said)


def _place(wanted: _Wanted, segments: Sequence[_Segment]) -> tuple[int, int] | None:
    """Where the description's food stands, and where the query's head was found."""
    at = _anchor(wanted, segments)
    if at >= len(segments):
        return None
    heads = segments[at].heads
    if wanted.head in heads:
        return at, at
    near = range(at, min(len(segments), at + _PART_SEGMENTS))
    found: Iterator[int]
    if heads & wanted.bases:
        found = (i for i in near if wanted.head in _naming(segments[i], wanted))
    elif _is_kind(heads, wanted.head):
        found = _kinds_named(wanted, segments, near[1:])
    else:
        return None
    named = next(found, None)
    return None if named is None else (at, named)


def _naming(segment: _Segment, wanted: _Wanted) -> frozenset[str]:
    """Parts may stand in brackets too: "blade (chops)"."""
    return frozenset(segment.core) | (segment.rest if wanted.head in v.PARTS else frozenset())


def _kinds_named(
    wanted: _Wanted, segments: Sequence[_Segment], near: Iterable[int]
) -> Iterator[int]:
    """Where the name follows its kind; one of several words may stand further back."""
    following = True
    for i in near:
        if following and wanted.head in segments[i].heads:
            yield i
        if len(wanted.required) > 1 and set(segments[i].core) == wanted.required:
            yield i
        following = following and not set(segments[i].core) - v.PLAIN - v.QUALIFIERS


def _is_kind(heads: frozenset[str], name: str) -> bool:
    return bool(heads & v.KINDS) or any(name in v.NAMED_KINDS.get(h, ()) for h in heads)


def _anchor(wanted: _Wanted, segments: Sequence[_Segment]) -> int:
    """The first segment that says more than a class of foods."""
    for i, segment in enumerate(segments[:4]):
        if segment.heads & wanted.required:
            return i
        category = segment.core in v.CATEGORIES or (
            segment.core[:1] == ("candy",) and wanted.head in v.NAMED_KINDS["candy"]
        )
        cuisine = i > 0 and set(segment.core) <= v.CUISINES
        if not (category or cuisine or (segment.brand and not segment.core)):
            return i
    return len(segments)


def _changed(wanted: _Wanted, segments: Sequence[_Segment], anchor: int, named: int) -> bool:
    """Whether a word nobody asked for makes it another food."""
    naming = {i for i, s in enumerate(segments) if wanted.required & set(s.core)} | {anchor, named}
    harmless = wanted.asked | v.HARMLESS | (segments[anchor].heads if anchor != named else set())
    if any(set(segments[i].core) - segments[i].free - harmless for i in naming):
        return True
    kinds = segments[anchor].heads | segments[0].heads
    never = v.NEVER - v.DRIED if kinds & v.DRIED_KINDS else v.NEVER
    return any(
        (core := set(s.core)) & never - wanted.asked - s.free
        or (core in v.SCRAPS and not core & wanted.required)
        for s in segments[anchor : anchor + _NEVER_SEGMENTS]
    )


def _state_agrees(wanted: _Wanted, segments: Sequence[_Segment]) -> bool:
    said = frozenset().union(*(s.core for s in segments))
    raw, cooked = bool(said & v.RAW), bool(said & v.COOKED)
    if wanted.state == "cooked":
        usually_raw = wanted.strict and wanted.required & v.RAW_BY_DEFAULT
        return cooked or not (raw or usually_raw)
    if wanted.state == "raw" and wanted.strict:
        return raw or not (cooked or wanted.required & v.COOKED_BY_DEFAULT)
    return not said & (v.RAW - {"raw"})


def _preference(wanted: _Wanted, segments: Sequence[_Segment], anchor: int, named: int) -> float:
    score = -0.4 * anchor - 2.5 * sum(s.brand for s in segments)
    said = frozenset().union(*(frozenset(s.core) | s.rest for s in segments))
    typical = v.TYPICAL.get(wanted.head, frozenset())
    expected = wanted.asked | typical
    for i, segment in enumerate(segments[anchor:], anchor):
        unasked = set(segment.core) - expected
        weight = 1.5 if i == named else 1.0
        score -= weight * sum(_oddness(w) / (2 if w in segment.free else 1) for w in unasked)
        score -= sum(_oddness(w) for w in segment.rest - expected)
    score -= 0.4 * _depth(wanted, segments)
    score += 1.2 * len(typical & said) + 2.0 * sum(_said(w, said) for w in wanted.optional)
    score += 1.5 * bool({"nfs", "ns"} & said)
    return score + _state_bonus(wanted, said)


def _depth(wanted: _Wanted, segments: Sequence[_Segment]) -> int:
    """How far back the last of the required words first stands."""
    return max(
        next((i for i, s in enumerate(segments) if word in s.core), 0) for word in wanted.required
    )


def _oddness(word: str) -> float:
    if word in v.ODD:
        return 2.0
    return 0.1 if word in v.PLAIN or word.isdigit() else 0.8


def _state_bonus(wanted: _Wanted, said: frozenset[str]) -> float:
    if wanted.state == "raw":
        return 2.0 if "raw" in said else -2.0 * bool(said & v.COOKED)
    if wanted.state == "cooked":
        return 1.0 if said & v.COOKED else 0.0
    return 0.0
