"""A change that breaks clients is found, and needs a new major version."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from openapi_compatibility import breaking_changes

RELEASED = Path(__file__).parents[2] / "docs" / "released"


def number(version):
    return tuple(int(part) for part in version.split("."))


@pytest.fixture(scope="session")
def released():
    """The document of the last release."""
    documents = [yaml.safe_load(path.read_text()) for path in RELEASED.glob("openapi-*.yaml")]
    return max(documents, key=lambda document: number(document["info"]["version"]))


@pytest.fixture
def document(contract):
    return deepcopy(contract.document)


def test_a_released_document_is_named_for_its_version():
    for path in RELEASED.glob("openapi-*.yaml"):
        version = yaml.safe_load(path.read_text())["info"]["version"]
        assert path.name == f"openapi-{version}.yaml"


def test_nothing_that_was_released_is_broken_without_a_new_major_version(released, document):
    before, now = (number(d["info"]["version"]) for d in (released, document))
    assert now >= before
    if now[0] == before[0]:
        assert breaking_changes(released, document) == []


def schema(document, name):
    return document["components"]["schemas"][name]


def operation(document, path, method):
    return document["paths"][path][method]


def remove_a_path(document):
    del document["paths"]["/history"]


def remove_a_parameter(document):
    operation(document, "/history", "get")["parameters"].pop()


def require_a_parameter(document):
    operation(document, "/history", "get")["parameters"][0]["required"] = True


def add_a_required_parameter(document):
    new = {"in": "query", "name": "tz", "required": True, "schema": {"type": "string"}}
    operation(document, "/history", "get")["parameters"].append(new)


def narrow_a_parameter(document):
    operation(document, "/meals", "get")["parameters"][0]["schema"]["maximum"] = 10


def ask_for_a_token(document):
    operation(document, "/predict", "post")["security"] = [{"token": []}]


def ask_for_a_token_where_none_was_needed(document):
    operation(document, "/health", "get")["security"] = [{"token": []}]


def ask_for_a_body(document):
    body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    operation(document, "/history", "get")["requestBody"] = body


def take_no_body(document):
    del operation(document, "/predict", "post")["requestBody"]


def take_another_media_type(document):
    content = operation(document, "/save_meal", "post")["requestBody"]["content"]
    content["text/csv"] = content.pop("application/json")


def answer_another_status(document):
    responses = operation(document, "/auth/signup", "post")["responses"]
    responses["200"] = responses.pop("201")


def take_away_a_server(document):
    document["servers"].pop()


def move_a_path(document):
    operation(document, "/profile", "get")["servers"] = [{"url": "/v1"}]


def remove_a_field_of_an_answer(document):
    del schema(document, "Meal")["properties"]["nutrition_facts"]


def no_longer_promise_a_field(document):
    schema(document, "Meal")["required"].remove("food")


def change_the_type_of_a_field(document):
    schema(document, "Meal")["properties"]["calories"]["type"] = ["number", "null"]


def let_a_field_be_null(document):
    schema(document, "User")["properties"]["email"]["type"] = ["string", "null"]


def change_the_format_of_a_field(document):
    del schema(document, "User")["properties"]["created_at"]["format"]


def answer_a_new_value(document):
    schema(document, "Readiness")["properties"]["status"]["enum"].append("degraded")


def change_items(document):
    schema(document, "Meal")["properties"]["ingredients"]["items"] = {"type": "object"}


def refuse_a_value(document):
    schema(document, "SaveMeal")["properties"]["meal_type"]["enum"].remove("snack")


def refuse_a_length(document):
    schema(document, "SaveMeal")["properties"]["name"]["maxLength"] = 100


def require_a_length(document):
    schema(document, "Credentials")["properties"]["password"]["minLength"] = 12


def require_a_field(document):
    schema(document, "SaveMeal")["required"].append("date")


def remove_a_field_of_a_request(document):
    del schema(document, "SaveMeal")["properties"]["note"]


def take_another_kind_of_token(document):
    token = document["components"]["securitySchemes"]["token"]
    token |= {"scheme": "basic"}


def ask_for_a_second_token(document):
    document["components"]["securitySchemes"]["key"] = {
        "type": "apiKey",
        "in": "header",
        "name": "K",
    }
    operation(document, "/history", "get")["security"] = [{"token": [], "key": []}]


def remove_a_header_of_an_answer(document):
    del operation(document, "/meals", "get")["responses"]["200"]["headers"]["Link"]


def no_longer_promise_a_header(document):
    document["components"]["headers"]["Retry-After"]["required"] = False


def answer_another_header(document):
    document["components"]["headers"]["Retry-After"]["schema"] = {"type": "string"}


def take_whole_steps(document):
    schema(document, "SaveMeal")["properties"]["calories"]["multipleOf"] = 10


def take_one_value(document):
    schema(document, "SaveMeal")["properties"]["meal_type"]["const"] = "lunch"


def take_no_empty_object(document):
    schema(document, "SaveMeal")["minProperties"] = 3


def take_each_item_once(document):
    schema(document, "SaveMeal")["properties"]["ingredients"]["uniqueItems"] = True


def require_a_field_with_another(document):
    schema(document, "SaveMeal")["dependentRequired"] = {"note": ["meal_type"]}


def take_another_style(document):
    operation(document, "/history", "get")["parameters"][0]["style"] = "spaceDelimited"


def take_fewer_types_of_photo(document):
    body = operation(document, "/predict", "post")["requestBody"]
    body["content"]["multipart/form-data"]["encoding"]["photo"]["contentType"] = "image/jpeg"


def ask_for_another_encoding(document):
    body = operation(document, "/predict", "post")["requestBody"]
    body["content"]["multipart/form-data"]["encoding"]["note"] = {"style": "deepObject"}


def change_a_keyword_nobody_knows(document):
    schema(document, "User")["unevaluatedProperties"] = False


def narrow_what_is_referred_to(document):
    schema(document, "SaveMeal")["properties"]["nutrition_facts"]["minProperties"] = 1


BREAKS = {
    remove_a_path: "GET /history: gone",
    remove_a_parameter: "GET /history: query parameter meal_type is gone",
    require_a_parameter: "GET /history: query parameter limit is required",
    add_a_required_parameter: "GET /history: query parameter tz is new and required",
    narrow_a_parameter: "query parameter limit: maximum 999999999999 is not within 10",
    ask_for_a_token: "POST /predict: needs a token",
    ask_for_a_token_where_none_was_needed: "GET /health: needs a token",
    ask_for_a_body: "GET /history: a body is required",
    take_no_body: "POST /predict: takes no body",
    take_another_media_type: "POST /save_meal: body: application/json is gone",
    answer_another_status: "POST /auth/signup: 201 is gone",
    take_away_a_server: "server /api: gone",
    move_a_path: "GET /profile: moved to another server",
    remove_a_field_of_an_answer: "POST /predict: 200/nutrition_facts is gone",
    no_longer_promise_a_field: "GET /history: 200/items/*/food need not come",
    change_the_type_of_a_field: "200/calories: type ['number', 'null'] is not within",
    let_a_field_be_null: "GET /auth/me: 200/user/email: type ['string', 'null'] is not within",
    change_the_format_of_a_field: "created_at: format None is another than date-time",
    answer_a_new_value: "GET /health/ready: 200/status: values",
    change_items: "200/ingredients/*: type object is not within string",
    refuse_a_value: "POST /save_meal: body/meal_type: values",
    refuse_a_length: "POST /save_meal: body/name: maxLength 200 is not within 100",
    require_a_length: "POST /auth/login: body/password: minLength None is not within 12",
    require_a_field: "POST /save_meal: body/date is required",
    take_another_kind_of_token: "GET /history: {'scheme bearer, type http': []} is no longer taken",
    ask_for_a_second_token: "GET /history: {'scheme bearer, type http': []} is no longer taken",
    remove_a_header_of_an_answer: "GET /meals: 200: header Link is gone",
    no_longer_promise_a_header: "503: header Retry-After need not come",
    answer_another_header: "503: header Retry-After: type string is not within integer",
    take_whole_steps: "body/calories: multipleOf None is another than 10",
    take_one_value: "body/meal_type: values",
    take_no_empty_object: "body: minProperties None is not within 3",
    take_each_item_once: "body/ingredients: uniqueItems None is another than True",
    require_a_field_with_another: "body: dependentRequired None is another than",
    take_another_style: "query parameter limit: style None became spaceDelimited",
    take_fewer_types_of_photo: "POST /predict: body/photo: contentType image/jpeg, image/png",
    ask_for_another_encoding: "POST /predict: body/note: style None became deepObject",
    change_a_keyword_nobody_knows: "200/user: unevaluatedProperties None became False",
    narrow_what_is_referred_to: "body/nutrition_facts: minProperties None is not within 1",
    remove_a_field_of_a_request: "POST /save_meal: body/note is gone",
}


@pytest.mark.parametrize("change", BREAKS, ids=lambda change: change.__name__)
def test_a_change_that_breaks_clients_is_told(document, change):
    changed = deepcopy(document)
    change(changed)
    told = breaking_changes(document, changed)
    assert any(BREAKS[change] in sentence for sentence in told), told


def said(schema, *, sent):
    """A document with one operation, which takes or answers this."""
    content = {"content": {"application/json": {"schema": schema}}}
    operation = (
        {"requestBody": content, "responses": {}} if sent else {"responses": {"200": content}}
    )
    return {"servers": [], "paths": {"/": {"post": operation}}}


TEXT, NUMBER = {"type": "string"}, {"type": "number"}


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({}, {"items": TEXT}),
        ({}, {"uniqueItems": True}),
        ({}, {"const": 1}),
        ({"enum": [1, 2]}, {"const": 1}),
        ({}, {"anyOf": [TEXT, NUMBER]}),
        ({"anyOf": [TEXT, {}]}, {"anyOf": [TEXT, NUMBER]}),
        ({"additionalProperties": {}}, {"additionalProperties": TEXT}),
        ({}, {"additionalProperties": TEXT}),
    ],
)
def test_more_may_be_sent_and_less_be_answered(wide, narrow):
    for sent in (True, False):
        before, after = (narrow, wide) if sent else (wide, narrow)
        assert breaking_changes(said(before, sent=sent), said(after, sent=sent)) == []
        assert breaking_changes(said(after, sent=sent), said(before, sent=sent)) != []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"default": 1}, {"default": 2}),
        ({"anyOf": [TEXT]}, {"anyOf": [TEXT, NUMBER]}),
        ({"additionalProperties": TEXT}, {"additionalProperties": NUMBER}),
    ],
)
def test_what_cannot_be_compared_counts_as_a_break(before, after):
    for sent in (True, False):
        assert breaking_changes(said(before, sent=sent), said(after, sent=sent)) != []


def test_further_members_may_come_but_not_be_refused():
    closed = {"additionalProperties": False}
    assert breaking_changes(said(closed, sent=False), said({}, sent=False)) == []
    assert breaking_changes(said({}, sent=True), said(closed, sent=True)) != []


def test_what_breaks_nobody_is_not_told(document):
    changed = deepcopy(document)
    changed["paths"]["/summary"] = deepcopy(changed["paths"]["/history"])
    history = operation(changed, "/history", "get")
    history["parameters"].append({"in": "query", "name": "tz", "schema": {"type": "string"}})
    history["parameters"][0]["description"] = "Something else."
    history["parameters"][0]["x-order"] = 1
    history["operationId"] = "allMeals"
    photo = operation(changed, "/predict", "post")["requestBody"]["content"]["multipart/form-data"]
    photo["encoding"]["photo"]["contentType"] += ", image/heic"
    history["responses"]["410"] = {"description": "Gone"}
    del history["responses"]["504"]
    operation(changed, "/auth/me", "get")["security"] = []
    meal = schema(changed, "Meal")["properties"]
    meal["weight"] = {"type": "number"}
    meal["calories"]["type"] = "integer"
    schema(changed, "User")["properties"]["phone"] = {"type": "string"}
    entry = schema(changed, "SaveMeal")
    entry["properties"]["name"]["maxLength"] = 300
    entry["properties"]["meal_type"]["enum"].append("brunch")
    entry["properties"]["calories"]["type"] = ["number", "null"]
    entry["required"].remove("calories")
    assert breaking_changes(document, changed) == []
    assert breaking_changes(changed, document) != []
