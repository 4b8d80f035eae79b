"""Reading queries and descriptions: which words name the food, and which only describe it."""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise

from foodlog.dishes import canonical, normalise
from foodlog.models import FoodQuery
from foodlog_plugins.usda import vocabulary as v
from foodlog_plugins.usda.parsing import Record

_LONGEST_NAME = 200
_SEGMENTS = 12
_LONG_WORD = 6
_LISTED = re.compile(r", (?=[^,(]+, and )|, and ")
"""Between foods of one dish: "Fish, tofu, and vegetables, tempura"."""
_WHICH_VEGETABLES = re.compile(
    r" (in|ex)cluding carrots, broccoli, and(/or)? dark-green leafy", re.IGNORECASE
)
"""A part of many survey descriptions that is about their vegetables, not another food."""
_PERCENT = re.compile(r"(\d+)\s*%")
"""No amount of a food, but its kind: "2% milk"."""
_NUMBER = re.compile(r"\d+(g|kg|ml|cl|dl|l|oz|lb)?|one|two|three|four|five|six|dozen")


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
    absent: frozenset[str]
    """What must not be in it: "without skin"."""
    lacking: frozenset[str]
    """Of that, what a record must say is not in it: "unsalted"."""
    of_brand: bool = False
    """Whether the brand asked for was found to be the record's."""
    both: frozenset[str] = frozenset()
    """Two foods of one dish: "rice and beans"."""

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
    absent: frozenset[str]
    """What is said not to be in it."""


def search_text(name: str) -> str:
    """The words to search for: no punctuation, and the American name of a food with several.

    Empty where no word of the name can be a food.
    """
    typed = [word for part in _parts(name) for word in part]
    words = [canonical(word) for word in typed]
    if not set(words) - v.STOP - v.NOT_FOOD:
        return ""
    return " ".join(_replace(words, v.SYNONYMS, typed))


def readings(query: FoodQuery) -> Iterator[Wanted]:
    """What the query may mean, the likeliest first; nothing where it names no food."""
    parts = [_tokens(" ".join(part)) for part in _parts(query.name[:_LONGEST_NAME])]
    words, absent, lacking = _denials(_meant([word for part in parts for word in part]))
    content = [w for w in words if w not in v.STOP | v.DENIALS]
    states = [w for w in content if w in v.STATES]
    front = _first_food(parts) if len(parts) > 1 else words
    named = _named([w for w in [*front[:1], *_before_link(front[1:])] if w in content], states)
    if not named or _no_food(named):
        return
    yield _wanted(query, words, named, states, absent, lacking)
    first, *others = named
    if (
        others
        and others[-1] in v.NAMES
        and others[-1] not in v.MADE_OF_OTHERS
        and first not in v.ADJECTIVES | v.KINDS
        and "and" not in words
    ):
        yield _wanted(query, words, [*others, first], states, absent, lacking)


def _wanted(
    query: FoodQuery,
    words: Sequence[str],
    named: Sequence[str],
    states: Sequence[str],
    absent: frozenset[str],
    lacking: frozenset[str],
) -> Wanted:
    """With the last of the words ``named`` as the food."""
    content = frozenset(words) - v.STOP - v.DENIALS
    head, kind = _head(named)
    optional = _unneeded(content, named, head).union(states, kind, v.FLAVORED & {*words[1:]})
    bases = v.BASES.get(head, frozenset())
    bases = bases - v.DISHWARE | kind if kind else bases
    if head in v.PARTS:
        bases = bases.union(named[:-1], *(v.BASES.get(w, ()) for w in named))
    required = content - optional - kind
    if v.SKINNED.isdisjoint(bases | required):
        lacking -= {"skin"}
    state, strict = _wanted_state(query, states, head, bases | required)
    pairs = {a + b: (a, b) for a, b in pairwise(words)}
    both = _both(words, head) & required
    return Wanted(required, head, bases, optional, state, pairs, strict, absent, lacking, both=both)


def _both(words: Sequence[str], head: str) -> frozenset[str]:
    """The head and what an "and" joins to it; not of "ham and cheese sandwich"."""
    mark = words.index("and") if "and" in words else 0
    behind = set(words[mark + 1 :]) - v.ADJECTIVES
    return frozenset({words[mark - 1], head} if mark and behind == {head} else ())


def _parts(name: str) -> list[list[str]]:
    """The words between commas, without an amount; of several names of a food the first."""
    marked = _PERCENT.sub(r"percent\1", name)
    parts = [normalise(part).split() for part in marked.split(",")]
    parts = [[_spelled(word) for word in part] for part in parts if part]
    if not parts:
        return []
    parts[0] = _unmeasured(parts[0])
    parts = [[word.removeprefix("percent") for word in part] for part in parts]
    return parts[:1] if _same_food([_tokens(" ".join(part)) for part in parts]) else parts


def _same_food(names: Sequence[Sequence[str]]) -> bool:
    """Whether they are one food's names ("pizza, pizza pie"), not a food and its kind."""
    first, *others = names
    if any(set(first).intersection(other) - v.BROAD or first == other for other in others):
        return True
    if not all(len(other) == 1 and other[0] not in v.KNOWN for other in others):
        return False
    if first[-1] in v.RAW_BY_DEFAULT - v.BROAD:
        return bool(others)
    return any(get_close_matches(other[0], first) for other in others)


@lru_cache(maxsize=4096)
def _spelled(word: str) -> str:
    """A food's name for what is surely a slip of it."""
    if len(word) < _LONG_WORD or canonical(word) in v.KNOWN:
        return word
    alike = [f for f in v.SPELLINGS if f[0] == word[0] and _LONG_WORD <= len(f) <= len(word) + 1]
    found = get_close_matches(canonical(word), alike, n=1, cutoff=0.85)
    return found[0] if found and abs(len(found[0]) - len(canonical(word))) <= 1 else word


def _unmeasured(words: Sequence[str]) -> list[str]:
    """Without an amount: "2 eggs", "a glass of milk", "half an avocado", "juice 200ml"."""
    behind = words[:-1] if canonical(words[-1]) in v.UNITS else words
    if len(behind) > 1 and _NUMBER.fullmatch(behind[-1]) and behind[-1][0].isdigit():
        words = behind[:-1]
    singular = [canonical(word) for word in words]
    of = singular[:4].index("of") if "of" in singular[1:4] else 0
    if of and singular[of - 1] in v.MEASURES and words[of + 1 :]:
        return _as_packed(singular[:of], words[of + 1 :])
    at = 0
    for at, word in enumerate(singular):
        following = singular[at + 1 : at + 2]
        article = word in {"a", "an"} or (word == "half" and following in (["a"], ["an"]))
        if not (article or _NUMBER.fullmatch(word) or (at and word in v.UNITS)):
            break
    return _as_packed(singular[:at], words[at:])


def _as_packed(measure: Sequence[str], words: Sequence[str]) -> list[str]:
    """A can of what is eaten fresh too is of its canned kind."""
    canned = not v.CANS.isdisjoint(measure) and canonical(words[-1]) in v.EATEN_PLAIN
    return ["canned", *words] if canned else list(words)


def _meant(words: Sequence[str]) -> Sequence[str]:
    return v.MEANT.get(tuple(words), words)


def _first_food(parts: Sequence[Sequence[str]]) -> Sequence[str]:
    """The part that names the food: the first that is more than a class of foods."""
    named = (part for part in parts if part not in v.CATEGORIES and not v.KINDS.issuperset(part))
    return next(named, parts[0])


def _denials(
    words: Sequence[str],
) -> tuple[list[str], frozenset[str], frozenset[str]]:
    """The other words; what is not to be there; and of that what must be said not to be."""
    kept: list[str] = []
    absent: set[str] = set()
    lacking: set[str] = set()
    denying = False
    for i, word in enumerate(words):
        if word in v.LINKS:
            denying = word in v.DENIALS
            kept.append(word)
        elif denying:
            (lacking if i == 1 or word in v.INNATE else absent).add(word)
            denying = i > 1
        elif tuple(words[i + 1 : i + 2]) == ("free",) and word != "range":
            lacking.add(word)
        elif word in v.LACKING:
            lacking |= v.LACKING[word]
        elif not (word == "free" and words[i - 1] in lacking):
            kept.append(word)
    return kept, frozenset(absent | lacking), frozenset(lacking)


def _named(words: Sequence[str], states: Sequence[str]) -> list[str]:
    """The words up to the noun that names the food."""
    named = [w for w in words if w not in states]
    while len(named) > 1 and _describes(named[-1], named[:-1]):
        named.pop()
    return named


def _describes(word: str, before: Sequence[str]) -> bool:
    """Whether the word stands behind its noun: "yogurt plain", "cherry tomato" turned round."""
    if before[-1] in v.NOUNS.get(word, ()) or v.ADJECTIVES.issuperset(before):
        return False
    kinds = v.UNSAID.get(before[-1], frozenset()) | v.KINDS_BEHIND.get(before[0], frozenset())
    return word in v.TRAILING | kinds or word.isdigit()


def _head(named: Sequence[str]) -> tuple[str, frozenset[str]]:
    """The word that must be found, and the kind behind it that need not: "edamame beans"."""
    *others, last = named
    shapes = v.SHAPES.intersection(named)
    if others and _is_shape(others[-1], last):
        return others[-1], shapes | {last}
    if last in v.RAW_BY_DEFAULT:
        return last, shapes
    kinds = v.NAMED_KINDS.get(last, frozenset()) - v.NAMES_OF_OTHERS
    kinds = kinds - v.UNSAID.get(last, frozenset())
    if others and (others[-1] in kinds or last in v.COOKED_KINDS):
        return others[-1], frozenset([last])
    return last, frozenset()


def _is_shape(food: str, last: str) -> bool:
    """Whether ``last`` is only a piece of the plant before it: "celery stalks"."""
    if last in {"leaf", "powder"}:
        return food in (v.LEAVES if last == "leaf" else v.POWDERED)
    plant = food in v.RAW_BY_DEFAULT | v.LEAVES | v.SHAPED
    return last in v.ALWAYS_SHAPES or (last in v.SHAPES and plant)


def _no_food(named: Sequence[str]) -> bool:
    """Whether what is named is an adjective, a part of something, or no food at all."""
    *others, last = named
    if last in v.DISHWARE and others and others[-1] not in v.SERVED_IN_DISHES:
        return False
    if last in v.NOT_FOOD | v.HARD_METHODS or any(
        said.issuperset(named) for said in (v.ADJECTIVES, v.RESTAURANTS)
    ):
        return True
    return not others and last in v.LIVE_ANIMALS | (v.PARTS - v.BASES.keys())


def _unneeded(content: frozenset[str], named: Sequence[str], head: str) -> frozenset[str]:
    """The words a record of the food need not have."""
    unneeded = v.FILLERS - v.NEEDED.get(head, frozenset()) | v.UNSAID.get(head, frozenset())
    if not v.BRANDS.union(v.BRAND_WORDS).issuperset(content):
        unneeded |= v.BRANDS - v.RESTAURANTS if head in v.SIMPLE else v.BRANDS
    if v.COOKED_BY_DEFAULT.isdisjoint(named):
        unneeded |= {"ground"}
    return unneeded.intersection(content) - {head}


def _wanted_state(
    query: FoodQuery, states: Sequence[str], head: str, others: frozenset[str]
) -> tuple[str | None, bool]:
    """The state asked for, else the one the head is eaten in, else the other foods."""
    if query.state in {"raw", "cooked"}:
        return query.state, True
    if states:
        return ("raw" if states[0] in v.RAW else "cooked"), True
    for foods in (frozenset([head]), others):
        if foods & v.COOKED_BY_DEFAULT:
            return "cooked", False
        if foods & v.RAW_BY_DEFAULT:
            return "raw", False
    return None, False


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


def _before_link(words: Sequence[str]) -> list[str]:
    return list(_until(words, v.LINKS))


def without_brand(wanted: Wanted, record: Record) -> Wanted:
    """What is left to be said where the record has the brand asked for."""
    asked = wanted.asked.intersection(_tokens(record.brand)) - {wanted.head}
    brand = frozenset(word for word in asked if word in v.BRANDS or word not in v.KNOWN)
    if not brand:
        return wanted
    required, optional = wanted.required - brand, wanted.optional | brand
    return replace(wanted, required=required, optional=optional, of_brand=True)


def segments_of(record: Record, wanted: Wanted) -> list[Segment]:
    """The parts of a description between commas, in order."""
    text = _LISTED.sub(" and ", _WHICH_VEGETABLES.sub("", record.description))
    shouting = text.upper() == text
    segments = [
        segment
        for part in re.split(r"[,;](?![^(]*\))", text)[:_SEGMENTS]
        if (segment := _segment(part, wanted, shouting)) is not None
    ]
    if segments and record.other_names:
        names = tuple(frozenset(_tokens(name)) - v.STOP for name in record.other_names)
        segments[0] = replace(segments[0], aliases=segments[0].aliases + names)
    return segments


def _segment(text: str, wanted: Wanted, shouting: bool) -> Segment | None:
    asked = wanted.asked
    outside = re.sub(r"\([^)]*\)?", " ", text)
    inside = [t for b in re.findall(r"\(([^)]*)", text) for t in b.split(",")]
    loud = [] if shouting else [word for word in outside.split() if _loud(word)]
    plain, brand = _without_brand(outside, loud, asked)
    words = _as_asked(_tokens(plain.replace("/", " or ")), asked, wanted.pairs)
    if not words and not brand and not inside:
        return None
    words, absent = _said_absent(words)
    core = _before_link(words)
    made = _until(words, {"made"})
    words = [*made, *(w for w in words[len(made) :] if w not in v.DESCRIBING)]
    food = [w for w in core if w not in v.STOP]
    aliases = tuple(frozenset(_tokens(name)) for name in inside)
    packed_in = core if core[-1:] == ["pack"] else ()
    return Segment(
        core=tuple(food),
        heads=_heads(core),
        free=frozenset(_beside("or", core, asked)).union(packed_in),
        partners=frozenset(_beside("and", core, asked)),
        rest=frozenset(words[len(core) :]).union(*aliases) - v.STOP,
        aliases=aliases,
        loud=frozenset(_tokens(" ".join(loud))) - v.STOP,
        brand=brand,
        absent=absent - v.STOP,
    )


def _said_absent(words: Sequence[str]) -> tuple[list[str], frozenset[str]]:
    """The other words, and what is not there: "skin not eaten", "meat only", "without salt"."""
    if words[-2:] == ["not", "eaten"]:
        return [], frozenset(words[:-2])
    kept, absent, _ = _denials(words)
    return kept, absent | ({"skin"} if words == ["meat", "only"] else frozenset())


def _as_asked(
    words: Sequence[str], asked: frozenset[str], pairs: Mapping[str, tuple[str, str]]
) -> list[str]:
    """With words written together or apart as in the query: "sour dough", "cheesecake"."""
    result: list[str] = []
    for word in words:
        if result and result[-1] + word in asked:
            result[-1] += word
        else:
            result.extend(pairs.get(word, (word,)))
    return result


def _beside(mark: str, core: Sequence[str], asked: frozenset[str]) -> Iterator[str]:
    """The other names beside the mark of a food that was asked for.

    "Beef chow mein or chop suey": as many words before the mark as behind it, where there are.
    """
    for i, word in enumerate(core):
        if word == mark and 0 < i < len(core) - 1:
            behind = _until(core[i + 1 :], {"or", "and"})
            before = _until(core[:i][::-1], {"or", "and"})[::-1]
            size = len(behind) if len(behind) <= len(before) else 1
            left, right = before[-size:], behind[:size]
            if asked.issuperset(right):
                yield from left
            if asked.issuperset(left):
                yield from right


def _until(words: Sequence[str], marks: Container[str]) -> Sequence[str]:
    at = next((i for i, word in enumerate(words) if word in marks), len(words))
    return words[:at]


def _without_brand(text: str, loud: Sequence[str], asked: frozenset[str]) -> tuple[str, bool]:
    """Without words in capitals, unless the query names one of them, or they are the food.

    In "Egg McMUFFIN" they are.
    """
    words = text.split()
    quiet = set(_tokens(" ".join(w for w in words if w not in loud)))
    if not loud or asked & set(_tokens(" ".join(loud))) - quiet:
        return text, False
    if words[-1] in loud and words[0] not in loud:
        return text, True
    return " ".join(w for w in words if w not in loud), True


def _loud(word: str) -> bool:
    letters = [c for c in word if c.isalpha()]
    upper = sum(c.isupper() for c in letters)
    return (
        upper >= (2 if "&" in word else 3)
        and upper >= len(letters) - 2
        and word not in {"NFS", "USDA", "BBQ"}
    )


def _heads(core: Sequence[str]) -> frozenset[str]:
    """The last noun of each alternative."""
    heads: set[str] = set()
    for part in _split(core, {"or", "and"}):
        heads.update(part[-1:] if part[-1:] in (["nut"], ["seed"]) else ())
        while len(part) > 1 and part[-1] in v.GENERIC_ENDINGS | v.RAW | v.COOKED:
            part = part[:-1]
        if part:
            heads.add(part[-1])
            if len(part) > 1 and (part[-1] in v.PARTS or _is_shape(part[-2], part[-1])):
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
