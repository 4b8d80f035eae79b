"""Reading queries and descriptions: which words name the food, and which only describe it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from foodlog.dishes import canonical, normalise
from foodlog.models import FoodQuery
from foodlog_plugins.usda import vocabulary as v

_LONGEST_NAME = 200
_SEGMENTS = 12


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query, read."""

    required: frozenset[str]
    head: str
    bases: frozenset[str]
    """What the food is made of where it goes without saying."""
    optional: frozenset[str]
    state: str | None
    pairs: Mapping[str, tuple[str, str]]
    """Words that follow each other, by both written together."""
    strict: bool
    """Whether the state was asked for, not guessed."""

    @property
    def asked(self) -> frozenset[str]:
        """Words of the query, and those that go without saying."""
        return self.required | self.optional | self.bases


@dataclass(frozen=True, slots=True)
class Segment:
    """What stands between two commas."""

    core: tuple[str, ...]
    """The words of the food itself, up to the first link word."""
    heads: frozenset[str]
    free: frozenset[str]
    """Words beside an "or": one of several names."""
    partners: frozenset[str]
    """Words beside an "and": kinds that share a record."""
    rest: frozenset[str]
    """Behind a link word or in brackets."""
    aliases: tuple[frozenset[str], ...]
    """What stands in brackets: often another name."""
    loud: frozenset[str]
    """Words in capitals among others that are not: brands, mostly."""
    brand: bool
    """Whether such words were left out of the food."""


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


def read(query: FoodQuery) -> Wanted | None:
    """None where the query names no food."""
    words = _unmeasured(_tokens(query.name[:_LONGEST_NAME]))
    words = v.MEANT.get(tuple(words), words)
    content = [w for w in words if w not in v.STOP]
    states = [w for w in content if w in v.RAW or w in v.SOFT_METHODS]
    named = _named([w for w in [*words[:1], *_before_link(words[1:])] if w in content], states)
    if not named or _no_food(named):
        return None
    head, kind = _head(named)
    unsaid = (v.FILLERS | v.UNSAID.get(head, frozenset())) - {head}
    optional = frozenset(w for w in content if w in unsaid) | frozenset(states)
    required = frozenset(content) - optional - kind
    bases = v.BASES.get(head, frozenset()) | kind
    if head in v.PARTS:
        bases = bases.union(named[:-1], *(v.BASES.get(w, ()) for w in named))
    state, strict = _wanted_state(query, states, required | bases)
    pairs = {a + b: (a, b) for a, b in pairwise(words)}
    return Wanted(required, head, bases, optional, state, pairs, strict)


def _named(words: Sequence[str], states: Sequence[str]) -> list[str]:
    """The words up to the noun that names the food."""
    named = [w for w in words if w not in states]
    while len(named) > 1 and named[-1] in v.TRAILING:
        named.pop()
    return named


def _head(named: Sequence[str]) -> tuple[str, frozenset[str]]:
    """The word that must be found, and the kind behind it that need not: "edamame beans"."""
    *others, last = named
    kinds = v.NAMED_KINDS.get(last, frozenset()) - v.NAMES_OF_OTHERS
    shape = v.SHAPES.intersection(named)
    if others and last in v.SHAPES and others[-1] in v.RAW_BY_DEFAULT:
        return others[-1], shape
    if last in v.RAW_BY_DEFAULT:
        return last, shape
    kinds = kinds - v.UNSAID.get(last, frozenset())
    if others and (others[-1] in kinds or last in v.COOKED_KINDS):
        return others[-1], frozenset([last])
    return last, frozenset()


def _no_food(named: Sequence[str]) -> bool:
    """Whether what is named is an adjective, a part of something, or no food at all."""
    if named[-1] in v.NOT_FOOD | v.HARD_METHODS or v.ADJECTIVES.issuperset(named):
        return True
    return len(named) == 1 and named[0] in v.LIVE_ANIMALS | (v.PARTS - v.BASES.keys())


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


def segments_of(description: str, wanted: Wanted) -> list[Segment]:
    """The parts of a description between commas."""
    shouting = description.upper() == description
    return [
        segment
        for part in re.split(r"[,;](?![^(]*\))", description)[:_SEGMENTS]
        if (segment := _segment(part, wanted, shouting)) is not None
    ]


def _segment(text: str, wanted: Wanted, shouting: bool) -> Segment | None:
    asked = wanted.asked
    outside = re.sub(r"\([^)]*\)?", " ", text)
    inside = [t for b in re.findall(r"\(([^)]*)", text) for t in b.split(",")]
    loud = [] if shouting else [word for word in outside.split() if _loud(word)]
    plain, brand = _without_brand(outside, loud, asked)
    words = _as_asked(_tokens(plain.replace("/", " or ")), wanted)
    if not words and not brand and not inside:
        return None
    core = _before_link(words)
    food = [w for w in core if w not in v.STOP]
    aliases = tuple(frozenset(_tokens(name)) for name in inside)
    return Segment(
        core=tuple(food),
        heads=_heads(core),
        free=frozenset(_beside("or", core, asked)),
        partners=frozenset(_beside("and", core, asked)),
        rest=frozenset(words[len(core) :]).union(*aliases) - v.STOP,
        aliases=tuple(names - v.INCLUDING for names in aliases),
        loud=frozenset(_tokens(" ".join(loud))) - v.STOP,
        brand=brand,
    )


def _as_asked(words: Sequence[str], wanted: Wanted) -> list[str]:
    """With words written together or apart as in the query: "sour dough", "cheesecake"."""
    result: list[str] = []
    for word in words:
        if result and result[-1] + word in wanted.asked:
            result[-1] += word
        else:
            result.extend(wanted.pairs.get(word, (word,)))
    return result


def _beside(mark: str, core: Sequence[str], asked: frozenset[str]) -> Iterator[str]:
    """The other names beside the mark of a food that was asked for."""
    for i, word in enumerate(core):
        if word == mark and 0 < i < len(core) - 1:
            left, right = core[i - 1], core[i + 1]
            if right in asked:
                yield left
            if left in asked:
                yield right


def _without_brand(text: str, loud: Sequence[str], asked: frozenset[str]) -> tuple[str, bool]:
    """Without words in capitals, unless the query names one of them."""
    if not loud or asked & set(_tokens(" ".join(loud))):
        return text, False
    return " ".join(w for w in text.split() if w not in loud), True


def _loud(word: str) -> bool:
    letters = [c for c in word if c.isalpha()]
    upper = sum(c.isupper() for c in letters)
    return upper >= 3 and upper >= len(letters) - 2 and word not in {"NFS", "USDA", "BBQ"}


def _heads(core: Sequence[str]) -> frozenset[str]:
    """The last noun of each alternative."""
    heads: set[str] = set()
    for part in _split(core, {"or", "and"}):
        heads.update(part[-1:] if part[-1:] in (["nut"], ["seed"]) else ())
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
