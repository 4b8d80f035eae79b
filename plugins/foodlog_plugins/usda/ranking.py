"""Choosing the record a query means among the hits of a search, or none.

FoodData Central finds descriptions that share a word with the query; most are of other foods.
A description reads "Head, kind, kind, ..., state": its food stands at the end of the first
segment ("Peanut butter"), or follows where the first segment is only a class ("Fish, salmon").
A hit is taken only where that food is the query's and nothing is added that makes it another;
among those the plainest wins. A wrong food is worse than none.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

from foodlog.models import FoodQuery
from foodlog_plugins.usda import vocabulary as v
from foodlog_plugins.usda.parsing import Record
from foodlog_plugins.usda.plausibility import plausible
from foodlog_plugins.usda.reading import Segment, Wanted, readings, segments_of, without_brand

_PART_SEGMENTS = 5
"""A cut may stand as far back as this: "Pork, fresh, loin, blade (chops)"."""
_NEVER_SEGMENTS = 6
_SEARCHES_FOR_PLAINER = 2
_LEAST = -10.0
_PLAIN = -2.0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a description the food wanted stands."""

    anchor: int
    """The segment of the description's food."""
    named: int
    """The segment that names what is wanted; often the same."""
    harmless: frozenset[str] = frozenset()
    """Words that are part of the name here."""


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
    further = iter(searches)
    made: list[Sequence[Record]] = []
    for wanted in readings(query):
        if found := _choose(wanted, chain(list(made), _noted(made, further))):
            return found
    return None


def _noted(
    made: list[Sequence[Record]], searches: Iterable[Sequence[Record]]
) -> Iterator[Sequence[Record]]:
    for hits in searches:
        made.append(hits)
        yield hits


def _choose(wanted: Wanted, searches: Iterable[Sequence[Record]]) -> Record | None:
    best: tuple[float, Record] | None = None
    byname = True
    for asked, hits in enumerate(searches, 1):
        read_hits = [
            (hit, of_brand := without_brand(wanted, hit), segments_of(hit, of_brand))
            for hit in hits
        ]
        byname = byname and not any(
            (place := _place(of_brand, segments))
            and of_brand.head not in segments[place.named].loud
            and _covered(of_brand, segments)
            for _, of_brand, segments in read_hits
        )
        found = _best(read_hits, byname)
        if found and (best is None or found[0] > best[0]):
            best = found
        if best and (best[0] >= _PLAIN or asked >= _SEARCHES_FOR_PLAINER):
            break
    return best[1] if best else None


def _best(
    hits: Sequence[tuple[Record, Wanted, Sequence[Segment]]], byname: bool
) -> tuple[float, Record] | None:
    scored = (
        (round(score - place * 0.04, 6), hit)
        for place, (hit, wanted, segments) in enumerate(hits)
        if plausible(hit) and (score := _score(wanted, segments, byname)) is not None
    )
    return max(scored, key=itemgetter(0), default=None)


def _score(wanted: Wanted, segments: Sequence[Segment], byname: bool) -> float | None:
    """How plainly the description is the food wanted; None where it is not.

    ``byname``: whether the name may be one; not where it heads the description of any hit.
    """
    places = (_place(wanted, segments), _brand(wanted, segments))
    return max(
        (
            score
            for place in (*places, _byname(wanted, segments) if byname else None)
            if place and (score := _score_at(wanted, segments, place)) is not None
        ),
        default=None,
    )


def _score_at(wanted: Wanted, segments: Sequence[Segment], place: _Place) -> float | None:
    if not _covered(wanted, segments):
        return None
    if not wanted.of_brand and _changed(wanted, segments, place):
        return None
    if not _state_agrees(wanted, segments, place):
        return None
    score = _preference(wanted, segments, place)
    return score if score >= _LEAST else None


def _covered(wanted: Wanted, segments: Sequence[Segment]) -> bool:
    said = frozenset().union(
        *(frozenset(s.core).union(s.rest, s.loud, *s.aliases) for s in segments)
    )
    absent = frozenset().union(*(s.absent for s in segments))
    return (
        all(_said(word, said) for word in wanted.required)
        and wanted.lacking <= absent
        and not any(_said(word, said) for word in wanted.absent)
        and any(wanted.both <= s.rest.union(s.core) for s in segments)
    )


def _said(word: str, said: frozenset[str]) -> bool:
    forms = {word, word + "ed", word + "d"}
    return bool((forms | v.ALTERNATIVES.get(word, frozenset())) & said)


def _place(wanted: Wanted, segments: Sequence[Segment]) -> _Place | None:
    """By the head of the query: it is the description's food, or follows it as its kind."""
    at = _anchor(wanted, segments)
    if at >= len(segments):
        return None
    heads = segments[at].heads
    if heads & (wanted.both | {wanted.head}):
        return _Place(at, at)
    near = range(at, min(len(segments), at + _PART_SEGMENTS))
    found: Iterator[int]
    if heads & wanted.bases or "product" in segments[at].core:
        found = (i for i in near if wanted.head in _naming(segments[i], wanted))
    elif _is_kind(heads, wanted.head):
        found = _kinds_named(wanted, segments, near[1:])
    else:
        return None
    named = next(found, None)
    if named is None:
        return None
    return _Place(at, named, frozenset(segments[at].core if named != at else ()))


def _brand(wanted: Wanted, segments: Sequence[Segment]) -> _Place | None:
    """By the brand wanted, in capitals behind the class of the food and its maker."""
    if wanted.required <= v.FOODS:
        return None
    for i, segment in enumerate(segments[:_PART_SEGMENTS]):
        if _brand_named(wanted, segments, i):
            return _Place(i, i, frozenset(segment.core))
    return None


def _byname(wanted: Wanted, segments: Sequence[Segment]) -> _Place | None:
    """By a name in brackets, in front of a class, or behind one as its kind."""
    if wanted.head in v.FOODS or wanted.head in v.SPICES:
        return None
    for i, segment in enumerate(segments[:_PART_SEGMENTS]):
        core, ending = frozenset(segment.core), segment.heads & v.CLASS_ENDINGS
        if wanted.required in segment.aliases:
            return _Place(i, i, core)
        if i and core == wanted.required and len(core) > 1 and segments[0].heads & v.VARIED:
            return _Place(0, i, frozenset(segments[0].core))
        named = core - ending - v.HARMLESS == wanted.required - v.HARMLESS
        if i == 0 and ending and named and not segment.rest:
            return _Place(0, 0, core)
        alone = i in (1, 2) and segments[0].heads & v.KINDS_ALONE and core <= wanted.required
        if alone and wanted.head in segment.heads and wanted.required <= _cores(segments):
            return _Place(0, i, frozenset(segments[0].core))
    return None


def _cores(segments: Sequence[Segment]) -> frozenset[str]:
    return frozenset().union(*(s.core for s in segments))


def _brand_named(wanted: Wanted, segments: Sequence[Segment], at: int) -> bool:
    """Whether the segment is the brand wanted, with nothing but the class of foods around it.

    Whoever asks for the brand alone means any product that bears its name and no other.
    """
    before = frozenset().union(*(frozenset(s.core) | s.loud for s in segments[:at]))
    core, makers = frozenset(segments[at].core), v.BRANDS - wanted.asked
    brand = segments[at].loud - before - makers
    return (
        bool(at or core - segments[at].loud)
        and bool(brand - v.BRAND_WORDS)
        and brand <= wanted.required <= core | v.BRAND_WORDS
        and (
            (brand == wanted.required and segments[at].core[0] in segments[at].loud)
            or core <= wanted.required | before | v.BRAND_COMPANY
        )
        and not any(frozenset(s.core) - v.BRAND_COMPANY or s.loud for s in segments[at + 1 :])
    )


def _naming(segment: Segment, wanted: Wanted) -> frozenset[str]:
    """Parts may stand in brackets too: "blade (chops)"."""
    return frozenset(segment.core) | (segment.rest if wanted.head in v.PARTS else frozenset())


def _kinds_named(wanted: Wanted, segments: Sequence[Segment], near: Iterable[int]) -> Iterator[int]:
    """Where the name follows its kind; one of several words may stand further back."""
    following = True
    for i in near:
        if following and wanted.head in segments[i].heads:
            yield i
        if len(wanted.required) > 1 and set(segments[i].core) == wanted.required:
            yield i
        following = following and not set(segments[i].core) - v.PLAIN - v.QUALIFIERS - wanted.asked


def _is_kind(heads: frozenset[str], name: str) -> bool:
    return (heads and heads <= v.KINDS) or any(name in v.NAMED_KINDS.get(h, ()) for h in heads)


def _anchor(wanted: Wanted, segments: Sequence[Segment]) -> int:
    """The first segment that says more than a class of foods or a brand."""
    brands = v.BRANDS | wanted.optional
    for i, segment in enumerate(segments[:4]):
        category = segment.core in v.CATEGORIES and wanted.head not in segment.heads
        if segment.heads & wanted.required and not category:
            return i
        candy = segment.core[:1] == ("candy",) and wanted.head in v.NAMED_KINDS["candy"]
        cuisine = i > 0 and v.CUISINES.issuperset(segment.core)
        brand = brands.issuperset(segment.core) and (segment.core or segment.brand)
        if not (category or candy or cuisine or brand):
            return i
    return len(segments)


def _changed(wanted: Wanted, segments: Sequence[Segment], place: _Place) -> bool:
    """Whether a word nobody asked for makes it another food."""
    group = segments[0].heads - wanted.asked
    return (
        ("seed" in group and wanted.head not in v.SEEDS)
        or ("spice" in group and (_fresh(wanted) or wanted.head in v.EATEN_FRESH))
        or _renamed(wanted, segments, place)
        or _ruled_out(wanted, segments, place)
    )


def _fresh(wanted: Wanted) -> bool:
    return wanted.strict or "fresh" in wanted.asked


def _renamed(wanted: Wanted, segments: Sequence[Segment], place: _Place) -> bool:
    """Whether such a word stands beside the name itself."""
    said = _cores(segments)
    aside = wanted.required - said
    names = {word for word in wanted.required if not word.isdigit()}
    naming = {
        i
        for i, s in enumerate(segments)
        if names & set(s.core) or aside & s.rest.difference(*s.aliases)
    }
    harmless = wanted.asked | v.HARMLESS | _typical(wanted) | place.harmless
    if wanted.head in v.LEAVES:
        harmless |= {"leaf"}
    for i in naming | {place.anchor, place.named}:
        if _loud_name(wanted, segments[i]):
            continue
        unasked = set(segments[i].core) - segments[i].free - harmless
        if i != place.anchor and segments[place.anchor].heads & v.KINDS:
            unasked -= segments[i].partners
        if any(not word.isdigit() for word in unasked):
            return True
    return False


def _loud_name(wanted: Wanted, segment: Segment) -> bool:
    """Whether the food is a name of somebody's own behind plain words: "Chicken McNUGGETS"."""
    return (
        segment.core[-1:] == (wanted.head,)
        and wanted.head in segment.loud - v.KNOWN
        and segment.core[0] not in segment.loud
    )


def _ruled_out(wanted: Wanted, segments: Sequence[Segment], place: _Place) -> bool:
    """Whether anything near by is never the food, or only a scrap of it, or makes it a dish."""
    near = segments[place.anchor : place.anchor + _NEVER_SEGMENTS]
    never = _never(wanted, near[0].heads | segments[0].heads) - near[0].heads
    alone = not wanted.both and wanted.required <= v.SIMPLE | v.HARMLESS
    if wanted.head not in v.KNOWN and wanted.required.issuperset(near[0].core):
        never -= v.PRODUCTS
    return any(
        (core := set(s.core)) & never - s.free
        or (core in v.SCRAPS and not core & (wanted.required - {"skin"} | {wanted.head}))
        or (alone and _company(wanted, s))
        for s in near
        if s is near[0] or not s.core or not v.CLASS_ENDINGS.issuperset(s.core)
    )


def _never(wanted: Wanted, kinds: frozenset[str]) -> frozenset[str]:
    """The words that may not stand beside the food wanted."""
    never = v.NEVER.union(*(v.NEVER_OF.get(word, ()) for word in wanted.required))
    if kinds & v.DRIED_KINDS:
        never -= v.DRIED
    if wanted.head in v.LEAVES or wanted.head not in v.SIMPLE:
        never -= {"leaf"}
    return never - wanted.asked


def _company(wanted: Wanted, segment: Segment) -> bool:
    """Whether another food is said to be with it."""
    if "packed" in segment.core and "canned" in wanted.asked:
        return False
    others = segment.rest.difference(*segment.aliases) & v.COMPANY
    return bool(others - wanted.asked - v.HARMLESS - _typical(wanted))


def _state(wanted: Wanted, segments: Sequence[Segment], place: _Place) -> str | None:
    """The state asked for, else the one the food is eaten in."""
    if wanted.state is None and segments[place.anchor].heads & v.COOKED_KINDS:
        return "cooked"
    return wanted.state


def _state_agrees(wanted: Wanted, segments: Sequence[Segment], place: _Place) -> bool:
    said = _cores(segments)
    raw, cooked = bool(said & v.RAW), bool(said & v.COOKED)
    state = _state(wanted, segments, place)
    if state == "cooked":
        if wanted.strict and "fried" in said - wanted.asked and "cooked" not in said:
            return False
        usually_raw = wanted.strict and wanted.required & v.RAW_BY_DEFAULT
        return not said & v.STILL_RAW and (cooked or not (raw or usually_raw))
    if state == "raw" and wanted.strict:
        return raw or not (cooked or wanted.required & v.COOKED_BY_DEFAULT)
    expected = {"raw", "uncooked"} if state == "raw" else {"raw"}
    return not said & (v.RAW - expected - wanted.asked)


def _preference(wanted: Wanted, segments: Sequence[Segment], place: _Place) -> float:
    score = -0.4 * place.anchor - 2.5 * sum(s.brand for s in segments)
    said = frozenset().union(*(frozenset(s.core) | s.rest for s in segments))
    typical = _typical(wanted)
    expected = wanted.asked | typical | place.harmless
    for i, segment in enumerate(segments[place.anchor :], place.anchor):
        unasked = set(segment.core) - expected
        weight = _weight(wanted, place, i)
        score -= weight * sum(_oddness(w) / (2 if w in segment.free else 1) for w in unasked)
        score -= sum(_oddness(w) for w in segment.rest - expected)
        score -= sum(_oddness(w) for w in segment.absent - wanted.absent)
    score -= 0.4 * _depth(wanted, segments)
    score += 1.2 * len(typical & said) + 2.0 * sum(_said(w, said) for w in wanted.optional)
    if not any(word.isdigit() for word in wanted.required):
        score += 1.5 * bool({"nfs", "ns"} & said)
    if "lean" in wanted.asked:
        score += max((int(word) - 90 for word in said if word.isdigit()), default=0) / 5
    if wanted.strict and _cooked_otherwise(wanted, said):
        score -= 2.0
    return score + _state_bonus(_state(wanted, segments, place), said)


def _cooked_otherwise(wanted: Wanted, said: frozenset[str]) -> bool:
    """Whether another way of cooking is said than the one asked for."""
    asked = wanted.optional & v.SOFT_METHODS - {"cooked"}
    return bool(asked and said & v.COOKED - {"cooked", "heated"}) and not any(
        _said(method, said) for method in asked
    )


def _typical(wanted: Wanted) -> frozenset[str]:
    """What the food is unless something is said of it; a chicken taco is not of beef."""
    typical = v.TYPICAL.get(wanted.head, frozenset())
    return typical if wanted.required == {wanted.head} else typical - v.COOKED_BY_DEFAULT


def _weight(wanted: Wanted, place: _Place, segment: int) -> float:
    """How much words nobody asked for count; a kind is not what is meant by its class."""
    if segment == place.named:
        return 1.5
    only_class = wanted.required == {wanted.head} and wanted.head in v.CLASSES
    return 3.0 if only_class and segment == place.named + 1 else 1.0


def _depth(wanted: Wanted, segments: Sequence[Segment]) -> int:
    """How far back the last of the required words first stands."""
    return max(
        next((i for i, s in enumerate(segments) if word in s.core), 0) for word in wanted.required
    )


def _oddness(word: str) -> float:
    if word in v.ODD:
        return 2.0
    return 0.1 if word in v.PLAIN or word.isdigit() else 0.8


def _state_bonus(state: str | None, said: frozenset[str]) -> float:
    if state == "raw":
        return 2.0 if "raw" in said else -4.0 * bool(said & v.COOKED)
    if state == "cooked":
        return 1.0 if said & v.COOKED else 0.0
    return 0.0
