import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from marshmallow import ValidationError

from foodlog.dishes import Dishes
from foodlog.errors import PartialAnswer, ProviderError, ProviderTimeout
from foodlog.models import FoodQuery, Nutrition
from foodlog.options import Secret
from foodlog.providers import Context
from foodlog.testing.upstreams import Reply
from foodlog.testing.usda import FDCStub, StubFood
from foodlog_plugins.usda import TIERS, WIDTH, Usda, foodlog_nutrition_sources
from foodlog_plugins.usda.cache import Cache
from foodlog_plugins.usda.client import Client

KEY = "fdc-s3cr3t"
FIGURES = {"208": 100, "203": 5, "204": 4, "205": 11}


def food(fdc_id: int, description: str, data_type: str = "SR Legacy", **extra: Any) -> StubFood:
    return StubFood(fdc_id, description, FIGURES, data_type, extra=extra)


FOODS = [
    food(1, "Cheese, cheddar", "Foundation"),
    food(2, "Milk, whole"),
    food(3, "Crackers, milk"),
    food(4, "Samosa", "Survey (FNDDS)"),
    food(5, "Fruit, banana"),
    food(6, "TIRAMISU", "Branded", brandOwner="Dolce Via", servingSize=90, servingSizeUnit="g"),
    StubFood(7, "Broken, record", {"208": 400, "203": 5, "204": 4, "205": 11}),
    food(8, "Honey"),
]


def build(url: str, threads: int = 4, **given: Any) -> Usda:
    options = Usda.Options().load({"url": url, "api_key": KEY, **given})
    context = Context(dishes=Dishes(()), clock=lambda: datetime.now(UTC), threads=threads)
    return Usda(options, context)


@pytest.fixture
def stub() -> Iterator[FDCStub]:
    with FDCStub(FOODS, api_key=KEY) as running:
        yield running


@pytest.fixture
def make(stub: FDCStub) -> Iterator[Callable[..., Usda]]:
    made: list[Usda] = []

    def make(**given: Any) -> Usda:
        made.append(build(stub.url, **given))
        return made[-1]

    yield make
    for source in made:
        source.close()


@pytest.fixture
def usda(make: Callable[..., Usda]) -> Usda:
    return make()


def ask(usda: Usda, *names: str | int | FoodQuery, timeout: float = 5) -> list[str | None]:
    """The source ids found; an int stands for a food pinned to it."""
    foods = [
        n
        if isinstance(n, FoodQuery)
        else FoodQuery(name="nothing at all", fdc_id=n)
        if isinstance(n, int)
        else FoodQuery(name=n)
        for n in names
    ]
    found = usda.lookup(foods, timeout)
    assert len(found) == len(foods)
    return [n and n.source_id for n in found]


def failure(usda: Usda, *names: str | int, timeout: float = 5) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(usda, *(names or ("milk",)), timeout=timeout)
    return caught.value


def paths(stub: FDCStub) -> list[str]:
    return [request.path for request in stub.requests]


def claiming_together(usda: Usda, callers: int, patch: pytest.MonkeyPatch) -> None:
    """From now on no caller goes on before all of them have claimed their next key."""
    claim, all_there = usda._cache.claim, threading.Barrier(callers, timeout=30)

    def wait(key: Hashable) -> Any:
        claimed = claim(key)
        all_there.wait()
        return claimed

    patch.setattr(usda._cache, "claim", wait)


def test_it_is_offered_through_the_hook() -> None:
    assert foodlog_nutrition_sources() == [Usda]


def test_pinned_foods_are_one_request(usda: Usda, stub: FDCStub) -> None:
    assert ask(usda, 8, 1, 2, 1) == ["8", "1", "2", "1"]
    (request,) = stub.requests
    assert (request.method, request.path) == ("POST", "/foods")
    asked = request.json()
    assert sorted(asked["fdcIds"]) == [1, 2, 8]
    assert asked["format"] == "abridged"
    assert len(asked["nutrients"]) <= 25
    assert {208, 957, 958, 269.3} <= set(asked["nutrients"])


def test_a_record_is_told_whole(usda: Usda) -> None:
    (found,) = usda.lookup([FoodQuery(name="x", fdc_id=1)], 5)
    assert found is not None
    assert (found.source, found.source_id) == ("usda", "1")
    assert (found.description, found.data_type) == ("Cheese, cheddar", "Foundation")
    assert found.per_100g.calories == 100
    assert found.per_100g.fiber is None


def test_more_than_twenty_pinned_foods_are_asked_for_in_parts_side_by_side() -> None:
    foods = [food(n, f"Food {n}") for n in range(1, 46)]
    with FDCStub(foods) as stub, ThreadPoolExecutor(1) as caller:
        usda = build(stub.url, timeout=60)
        with stub.held():
            asking = caller.submit(ask, usda, *range(1, 46), timeout=60)
            stub.wait_for(3)
        assert asking.result() == [str(n) for n in range(1, 46)]
        assert sorted(len(r.json()["fdcIds"]) for r in stub.requests) == [5, 20, 20]
        usda.close()


def test_a_pinned_id_that_is_not_known_is_searched_for_by_name(usda: Usda, stub: FDCStub) -> None:
    assert ask(usda, FoodQuery(name="Honey", fdc_id=999), 1) == ["8", "1"]
    assert paths(stub) == ["/foods", "/foods/search"]


def test_a_pinned_record_that_cannot_be_true_is_searched_for_by_name(usda: Usda) -> None:
    assert ask(usda, FoodQuery(name="honey", fdc_id=7)) == ["8"]


@pytest.mark.parametrize("answer", [Reply.json({}), Reply.json([]), Reply(404)])
def test_an_answer_without_any_food(usda: Usda, stub: FDCStub, answer: Reply) -> None:
    stub.script(answer)
    assert ask(usda, FoodQuery(name="honey", fdc_id=8)) == ["8"]
    assert paths(stub) == ["/foods", "/foods/search"]


def test_a_search_goes_through_the_tiers(usda: Usda, stub: FDCStub) -> None:
    assert ask(usda, "tiramisu") == ["6"]
    asked = [request.json() for request in stub.requests]
    assert [tuple(q["dataType"]) for q in asked] == list(TIERS)
    assert {q["query"] for q in asked} == {"tiramisu"}
    assert {q["pageSize"] for q in asked} == {20}
    assert not {"sortBy", "brandOwner"} & asked[-1].keys()


def test_a_search_ends_where_a_plain_record_is_found(usda: Usda, stub: FDCStub) -> None:
    assert ask(usda, "milk") == ["2"]
    assert len(stub.requests) == 1


def test_a_branded_food_is_labelled_as_one(usda: Usda) -> None:
    (found,) = usda.lookup([FoodQuery(name="tiramisu")], 5)
    assert found is not None
    assert (found.data_type, found.serving_grams) == ("Branded", 90)


def test_no_match_is_no_error(usda: Usda) -> None:
    assert ask(usda, "spoonbill", "milk") == [None, "2"]


def test_a_name_that_is_no_food_is_not_searched_for(usda: Usda, stub: FDCStub) -> None:
    assert ask(usda, "", "table", "???") == [None, None, None]
    assert stub.requests == []


def test_several_searches_run_side_by_side(make: Callable[..., Usda], stub: FDCStub) -> None:
    names = ["milk", "honey", "cheddar cheese", "crackers"]
    with ThreadPoolExecutor(1) as caller:
        with stub.held():
            asking = caller.submit(ask, make(timeout=60), *names, 1, timeout=60)
            stub.wait_for(5)
        assert asking.result()[4] == "1"


def test_all_callers_at_once_starve_nobody(make: Callable[..., Usda], stub: FDCStub) -> None:
    usda = make(threads=8, cache_size=0, timeout=60)

    def lookup(n: int) -> list[str | None]:
        return ask(usda, *(f"honey{n}{i} " for i in range(WIDTH)), timeout=60)

    with ThreadPoolExecutor(8) as callers:
        with stub.held():
            asking = [callers.submit(lookup, n) for n in range(8)]
            stub.wait_for(8 * WIDTH)
        assert [asked.result() for asked in asking] == [[None] * WIDTH] * 8
    assert len(stub.requests) == 8 * WIDTH * len(TIERS)
    assert stub.connections <= 8 * WIDTH


def test_the_key_is_sent_in_the_header_alone(usda: Usda, stub: FDCStub) -> None:
    ask(usda, 1, "milk")
    for request in stub.requests:
        assert request.headers["X-Api-Key"] == KEY
        assert KEY not in request.path
        assert KEY.encode() not in request.body


def test_answers_are_remembered_the_ones_not_found_too(usda: Usda, stub: FDCStub) -> None:
    for _ in range(2):
        assert ask(usda, 1, 999, "milk", "MILK!", "spoonbill") == ["1", None, "2", "2", None]
    assert paths(stub).count("/foods") == 1
    assert len(stub.requests) == 1 + 1 + len(TIERS) * 2  # milk; spoonbill and "nothing at all"


def test_nothing_is_remembered_where_the_cache_is_off(
    make: Callable[..., Usda], stub: FDCStub
) -> None:
    usda = make(cache_size=0)
    assert ask(usda, 1) == ask(usda, 1) == ["1"]
    assert len(stub.requests) == 2


def test_a_failure_is_not_remembered(usda: Usda, stub: FDCStub) -> None:
    stub.script(stub.FAILURES["error"])
    failure(usda, 1)
    assert ask(usda, 1) == ["1"]


def test_one_lookup_is_under_way_per_food(
    usda: Usda, stub: FDCStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    claiming_together(usda, 4, monkeypatch)
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda _: ask(usda, 1, "milk"), range(4)))
    assert answers == [["1", "2"]] * 4
    assert sorted(paths(stub)) == ["/foods", "/foods/search"]


def test_who_waits_for_another_shares_its_failure(
    usda: Usda, stub: FDCStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.always(Reply(500))
    claiming_together(usda, 2, monkeypatch)
    with ThreadPoolExecutor(2) as callers:
        errors = list(callers.map(lambda _: failure(usda, 1), range(2)))
    assert ["HTTP 500" in str(error) for error in errors] == [True, True]
    assert len(stub.requests) == 1


def test_who_waits_for_another_waits_no_longer_than_it_may(
    make: Callable[..., Usda], stub: FDCStub
) -> None:
    usda = make(timeout=60)
    with ThreadPoolExecutor(1) as other:
        with stub.held():
            first = other.submit(ask, usda, 1, timeout=60)
            stub.wait_for(1)
            assert isinstance(failure(usda, 1, timeout=0.1), ProviderTimeout)
            assert not first.done()
        assert first.result() == ["1"]


def failing_elsewhere(usda: Usda, error: ProviderError, patch: pytest.MonkeyPatch) -> None:
    """Another look-up is asking for food 1, and fails as soon as it is waited for."""
    claim = usda._cache.claim
    claim(1)

    def wait(key: Hashable) -> Any:
        claimed = claim(key)
        if not claimed[1]:
            usda._cache.fail(key, error)
        return claimed

    patch.setattr(usda._cache, "claim", wait)


def test_who_waits_for_another_in_a_hurry_asks_in_its_own_time(
    usda: Usda, stub: FDCStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_elsewhere(usda, ProviderTimeout("did not answer within 0.2 s"), monkeypatch)
    assert ask(usda, 1, 2) == ["1", "2"]
    assert [request.json()["fdcIds"] for request in stub.requests] == [[2], [1]]


@pytest.mark.parametrize(
    ("error", "timeout"),
    [(ProviderError("is in trouble"), 5), (ProviderTimeout("did not answer"), 0)],
    ids=["no time-out", "no time left"],
)
def test_any_other_failure_is_shared_and_so_is_one_when_the_time_is_over(
    usda: Usda,
    stub: FDCStub,
    monkeypatch: pytest.MonkeyPatch,
    error: ProviderError,
    timeout: float,
) -> None:
    failing_elsewhere(usda, error, monkeypatch)
    assert failure(usda, 1, timeout=timeout) is error
    assert stub.requests == []


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ("missing", "got no API key"),
        ("invalid", "does not know the API key"),
        ("disabled", "disabled the API key"),
        ("unverified", "to be verified"),
        ("unauthorized", "does not let this API key"),
        ("https", "wants https"),
    ],
)
def test_a_wrong_setting_is_named_and_is_no_rate_limit(
    usda: Usda, stub: FDCStub, failing: str, said: str
) -> None:
    stub.script(stub.FAILURES[failing])
    error = failure(usda, 1)
    assert said in str(error)
    assert error.permanent
    assert error.retry_after is None
    assert KEY not in str(error)


def test_a_spent_limit_carries_the_pause_and_stops_all_questions(usda: Usda, stub: FDCStub) -> None:
    stub.script(stub.FAILURES["quota"])
    for _ in range(2):
        error = failure(usda, 1)
        assert "request limit" in str(error)
        assert not error.permanent
        assert error.retry_after == pytest.approx(120, abs=1)
    assert len(stub.requests) == 1


def test_a_spent_limit_without_a_pause_still_has_one(usda: Usda, stub: FDCStub) -> None:
    stub.script(Reply.json({"error": {"code": "OVER_RATE_LIMIT"}}, 429))
    assert failure(usda, 1).retry_after == 60


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (FDCStub.FAILURES["spring"], "did not understand the question"),
        (FDCStub.FAILURES["error"], "in trouble (HTTP 500)"),
        (FDCStub.FAILURES["nginx"], "in trouble (HTTP 502)"),
        (FDCStub.FAILURES["absent"], "no such service"),
        (Reply(403, b"<html>"), "refuses us"),
        (Reply.json({"error": ["API_KEY_INVALID"]}, 403), "refuses us"),
        (Reply(200, b"<html>"), "not JSON"),
        (Reply(200, b'{"foods": NaN}'), "not JSON"),
        (Reply.json({"foods": 5}), "not a search result"),
        (Reply.json([]), "not a search result"),
        (Reply(200, b"x" * ((1 << 20) + 1)), "more than 1048576 bytes"),
        (Reply(200, b'{"foods": []}', truncate=5), ""),
        (Reply(raw=b""), ""),
        (Reply.redirect("http://example.org/"), "redirects are not followed"),
    ],
)
def test_broken_answers_to_a_search(usda: Usda, stub: FDCStub, reply: Reply, said: str) -> None:
    stub.always(reply)
    assert said in str(failure(usda, "milk"))


def test_an_answer_that_is_no_list_of_foods(usda: Usda, stub: FDCStub) -> None:
    stub.always(Reply.json({"foods": []}))
    assert "not a list of foods" in str(failure(usda, 1))


@pytest.mark.parametrize("reply", [Reply(delay=20), Reply(body=b"[" * 1000, drip=50)])
@pytest.mark.parametrize("food", [1, "milk"])
def test_the_time_is_kept(
    make: Callable[..., Usda], stub: FDCStub, reply: Reply, food: int | str
) -> None:
    stub.always(reply)  # which after 20 seconds is another failure
    assert isinstance(failure(make(timeout=60), food, timeout=0.3), ProviderTimeout)


def test_its_own_time_out_is_kept_where_it_is_shorter(
    make: Callable[..., Usda], stub: FDCStub
) -> None:
    stub.always(Reply(delay=20))
    assert isinstance(failure(make(timeout=0.2), 1, timeout=60), ProviderTimeout)


def test_a_host_that_is_away() -> None:
    with FDCStub() as stub:
        url = stub.url
    usda = build(url)
    assert "refused" in str(failure(usda, 1))
    usda.close()


def test_what_was_found_is_handed_over_with_what_failed(usda: Usda, stub: FDCStub) -> None:
    ask(usda, 1)
    stub.script(stub.FAILURES["error"])
    with pytest.raises(PartialAnswer, match="in trouble") as partial:
        ask(usda, 1, "milk")
    assert [found and found.source_id for found in partial.value.answers] == ["1", None]


def test_failing_searches_are_given_up_and_pinned_foods_still_answered(
    usda: Usda, stub: FDCStub
) -> None:
    ask(usda, 1)
    stub.always(stub.FAILURES["error"])
    for name in ("milk", "samosa", "honey", "banana", "tiramisu", "crackers"):
        with pytest.raises(PartialAnswer) as partial:
            ask(usda, 1, name)
        assert partial.value.answers[0]
    assert paths(stub).count("/foods/search") == 3
    assert "failed repeatedly" in str(partial.value)


def test_hanging_searches_are_given_up_though_the_time_out_is_short(
    make: Callable[..., Usda], stub: FDCStub
) -> None:
    usda = make(timeout=0.3)
    ask(usda, 1, timeout=0.95 * 0.3)
    stub.always(Reply(delay=60))
    for name in ("milk", "samosa", "honey", "banana", "tiramisu"):
        with pytest.raises(PartialAnswer):
            ask(usda, 1, name, timeout=0.95 * 0.3)
    assert paths(stub).count("/foods/search") == 3


def test_pinned_foods_that_failed_are_not_searched_for(usda: Usda, stub: FDCStub) -> None:
    stub.script(stub.FAILURES["error"])
    failure(usda, 1)
    assert paths(stub) == ["/foods"]


def test_the_last_requests_are_kept_for_pinned_foods(usda: Usda, stub: FDCStub) -> None:
    stub.remaining = 41
    assert ask(usda, 1) == ["1"]
    assert ask(usda, "milk", 2) == [None, "2"]
    assert paths(stub) == ["/foods", "/foods"]


def test_searches_begin_again_once_enough_is_left(stub: FDCStub) -> None:
    now = [0.0]
    client = Client(stub.url, Secret(KEY), 1, 5, clock=lambda: now[0])
    stub.remaining = 10
    client.foods([1], 5)
    assert not client.may_search
    stub.remaining = 900
    client.foods([1], 5)
    assert client.may_search
    stub.remaining = 10
    client.foods([1], 5)
    now[0] = 301
    assert client.may_search
    client.close()


def test_headers_that_say_nothing_are_passed_over(usda: Usda, stub: FDCStub) -> None:
    stub.script(Reply.json({}, headers={"X-RateLimit-Remaining": "many"}))
    assert ask(usda, FoodQuery(name="milk", fdc_id=999)) == ["2"]


def test_data_types_override_the_tiers(make: Callable[..., Usda], stub: FDCStub) -> None:
    usda = make(data_types="Branded, SR Legacy", page_size=3, brand_owner="Dolce Via")
    assert ask(usda, "tiramisu") == ["6"]
    asked = [request.json() for request in stub.requests]
    assert [q["dataType"] for q in asked] == [["SR Legacy"], ["Branded"]]
    assert [q.get("brandOwner") for q in asked] == [None, "Dolce Via"]
    assert {q["pageSize"] for q in asked} == {3}


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": None},
        {"page_size": 0},
        {"page_size": 26},
        {"data_types": "Foundation, Meals"},
        {"cache_size": -1},
        {"cache_ttl": 0},
        {"timeout": 0},
        {"url": "nowhere"},
        {"extra": 1},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Usda.Options().load({"api_key": KEY, **wrong})


def test_check_tells_an_address_where_nothing_is(usda: Usda, stub: FDCStub) -> None:
    stub.script(Reply(404))
    with pytest.raises(ProviderError, match="look at the option 'url'"):
        usda.check()


def test_check_passes_with_one_cheap_request(usda: Usda, stub: FDCStub) -> None:
    usda.check()
    assert paths(stub) == ["/foods"]


def test_check_tells_a_wrong_key_from_a_host_that_is_away(make: Callable[..., Usda]) -> None:
    with pytest.raises(ProviderError, match="does not know the API key"):
        make(api_key="wrong").check()
    with FDCStub() as stub:
        url = stub.url
    away = build(url)
    with pytest.raises(ProviderError, match="refused"):
        away.check()
    away.close()


def test_what_raises_inside_leaves_nobody_waiting(
    usda: Usda, stub: FDCStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usda, "_choose_from", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in str(failure(usda, "milk"))
    monkeypatch.undo()
    assert ask(usda, "milk") == ["2"]


def test_a_full_pool_only_makes_it_slower(usda: Usda) -> None:
    usda._pool.close()
    assert ask(usda, "milk", "honey", 1) == ["2", "8", "1"]


def test_where_no_thread_can_be_started_it_is_slower_and_leaves_nobody_waiting(
    usda: Usda, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(usda._pool, "submit", refuse)
    assert ask(usda, "milk", "honey", 1) == ["2", "8", "1"]
    assert "can't start new thread" in caplog.text


def test_the_stub_answers_details_too(stub: FDCStub) -> None:
    import requests

    headers = {"X-Api-Key": KEY}
    found = requests.get(f"{stub.url}/food/1?format=full", headers=headers, timeout=5).json()
    assert found["foodNutrients"][1]["nutrient"]["number"] == "208"
    lost = requests.get(f"{stub.url}/food/99", headers=headers, timeout=5)
    assert (lost.status_code, lost.content) == (404, b"")
    short = requests.get(f"{stub.url}/food/1?format=abridged", headers=headers, timeout=5).json()
    assert short["foodNutrients"][0]["number"] == "208"
    assert requests.get(f"{stub.url}/foods", timeout=5).status_code == 403
    many = {"fdcIds": list(range(21))}
    assert (
        requests.post(f"{stub.url}/foods", json=many, headers=headers, timeout=5).status_code == 400
    )
    stub.remaining = 0
    spent = requests.get(f"{stub.url}/food/1", headers=headers, timeout=5)
    assert (spent.status_code, spent.headers["Retry-After"]) == (429, "120")


def test_the_cache_forgets_the_least_lately_used_and_the_old() -> None:
    now = [0.0]
    cache: Cache[str | None] = Cache(2, 10, clock=lambda: now[0])
    for key in "ab":
        assert cache.claim(key)[1]
        cache.settle(key, key)
    assert cache.claim("a")[0].result(0) == "a"
    cache.claim("c")
    cache.settle("c", None)
    assert cache.claim("c")[0].result(0) is None
    assert not cache.claim("a")[1]
    assert cache.claim("b")[1]
    now[0] = 10
    assert cache.claim("a")[1]


def test_types_of_an_answer(usda: Usda) -> None:
    assert all(isinstance(n, Nutrition) for n in usda.lookup([FoodQuery(name="milk")], 5))
