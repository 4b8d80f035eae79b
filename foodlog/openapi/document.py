"""The OpenAPI 3.1 document, made from :mod:`foodlog.openapi.operations` and the schemas."""

from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files
from inspect import getdoc
from typing import Any

import yaml
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from foodlog import schemas
from foodlog.openapi import answers
from foodlog.openapi.fields import describe_fields, properties
from foodlog.openapi.operations import JSON, OPERATIONS, PHOTO_TYPES, Operation
from foodlog.openapi.texts import INTRODUCTION, PROBLEMS, TAGS

PROBLEM = "application/problem+json"
FORM = "multipart/form-data"
LEGACY_PREFIX = "/api"
ROOT_SERVER = {"url": "/", "description": "This server."}
LEGACY_SERVER = {"url": LEGACY_PREFIX, "description": "The same routes, for the legacy app."}
SERVERS = {"root": [ROOT_SERVER], "legacy": [LEGACY_SERVER]}

Json = dict[str, Any]


def document() -> Json:
    """The whole document."""
    plugin = MarshmallowPlugin(schema_name_resolver=_component_name)
    spec = APISpec(
        title="FoodLog",
        version=version("foodlog"),
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": INTRODUCTION, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[ROOT_SERVER, LEGACY_SERVER],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    describe_fields(plugin)
    _add_components(spec)
    for operation in OPERATIONS:
        spec.path(operation.path, operations={operation.method: _operation(operation, plugin)})
    made: Json = spec.to_dict()
    _describe(made["components"]["schemas"])
    return {"openapi": made.pop("openapi"), **made}


def text(made: Json) -> str:
    """The document as YAML."""
    head = "# Made by `foodlog openapi`; do not edit.\n"
    body: str = yaml.dump(made, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)
    return head + body


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out: references are OpenAPI's own."""
        return True


def _represent(dumper: _Plain, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Plain.add_representer(str, _represent)


def _sentence(documented: Any) -> str:
    """The docstring's first paragraph as Markdown."""
    paragraph = (getdoc(documented) or "").partition("\n\n")[0]
    return " ".join(paragraph.replace("``", "`").split())


def _component_name(schema: Any) -> str:
    return (schema if isinstance(schema, type) else type(schema)).__name__


def _add_components(spec: APISpec) -> None:
    spec.components.security_scheme(
        "token", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    )
    spec.components.header(
        "WWW-Authenticate",
        {"required": True, "schema": {"type": "string"}, "description": "Always `Bearer`."},
    )
    spec.components.header(
        "Retry-After",
        {
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
            "description": "Seconds after which to try again.",
        },
    )
    spec.components.schema("Problem", schema=answers.Problem)
    for status, (name, sentence) in PROBLEMS.items():
        response: Json = {"description": sentence, "content": {PROBLEM: _problem(status)}}
        if header := {401: "WWW-Authenticate", 503: "Retry-After"}.get(status):
            response["headers"] = {header: header}
        spec.components.response(name, response)


def _problem(status: int) -> Json:
    examples = _EXAMPLES["problems"]
    example = {"example": examples[status]} if status in examples else {}
    return {"schema": answers.Problem, **example}


def _operation(operation: Operation, plugin: MarshmallowPlugin) -> Json:
    made: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": _sentence(operation.responder),
    }
    if parameters := _parameters(operation):
        made["parameters"] = parameters
    if body := _body(operation, plugin):
        made["requestBody"] = {"required": True, "content": body}
    made["responses"] = _responses(operation)
    made["security"] = {
        "anybody": [],
        "optional": [{"token": []}, {}],
        "required": [{"token": []}],
    }[operation.access]
    if operation.server in SERVERS:
        made["servers"] = SERVERS[operation.server]
    return made


def _parameters(operation: Operation) -> list[Json]:
    found: list[Json] = []
    for name in ("key", "name"):
        if f"{{{name}}}" in operation.path:
            schema: Json = {"type": "string", "minLength": 1}
            found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if operation.query:
        found.append({"in": "query", "schema": operation.query})
    if operation.repeatable:
        found.append(_header("Idempotency-Key", _KEY_HELP, minLength=1, pattern=r"^[ -~]{1,255}$"))
    if operation.cached:
        found.append(_header("If-None-Match", "An ETag that was answered before."))
    return found


_KEY_HELP = (
    "Makes it safe to send the request again: a repeat with the same key is answered with what "
    "the first one stored. 1 to 255 printable ASCII characters. Only with a token."
)


def _header(name: str, description: str, **schema: Any) -> Json:
    return {
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string", **schema},
    }


def _body(operation: Operation, plugin: MarshmallowPlugin) -> Json | None:
    example = _example(operation, "request")
    if operation.json:
        return {JSON: {"schema": operation.json, **example}}
    if operation.form:
        texts = properties(plugin, operation.form)
        encoding = {name: {"contentType": ", ".join(PHOTO_TYPES)} for name in ("photo", "image")}
        return {FORM: {"schema": _form(texts), "encoding": encoding, **example}}
    return None


def _form(texts: Json) -> Json:
    photo: Json = {"type": "string", "format": "binary", "minLength": 1}
    return {
        "type": "object",
        "properties": {
            "photo": {**photo, "description": "JPEG, PNG, WebP or GIF; 10 MiB at most."},
            "image": {**photo, "description": "Another name for `photo`; both must be the same."},
            **texts,
        },
        "anyOf": [{"required": ["photo"]}, {"required": ["image"]}],
        "additionalProperties": False,
    }


def _responses(operation: Operation) -> Json:
    made: Json = {str(operation.status): _success(operation)}
    if operation.cached:
        made["304"] = {"description": "What is there still has the ETag in If-None-Match."}
    others = dict(operation.others)
    for status in sorted(operation.problems):
        name, sentence = PROBLEMS[status]
        if status not in others:
            made[str(status)] = name
            continue
        made[str(status)] = {
            "description": sentence,
            "content": {
                JSON: {"schema": others[status], **_example(operation, status)},
                PROBLEM: _problem(status),
            },
        }
    return made


def _success(operation: Operation) -> Json:
    media = {"schema": operation.answer, **_example(operation, operation.status)}
    made: Json = {
        "description": HTTPStatus(operation.status).phrase,
        "content": dict.fromkeys(operation.media, media),
    }
    headers = {"ETag": operation.cached, "Link": operation.linked}
    if shown := {name: {"schema": {"type": "string"}} for name, has in headers.items() if has}:
        made["headers"] = shown
    return made


def _example(operation: Operation, which: str | int) -> Json:
    found = _EXAMPLES["operations"].get(operation.id, {})
    return {"example": found[which]} if which in found else {}


def _describe(components: Json) -> None:
    """Give each component the docstring of its class."""
    for name, schema in components.items():
        cls = getattr(answers, name, None) or getattr(schemas, name)
        components[name] = {"description": _sentence(cls)} | schema


_EXAMPLES: Json = yaml.safe_load((files("foodlog.openapi") / "examples.yaml").read_text("utf-8"))
