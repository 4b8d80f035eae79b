"""What a change of the contract breaks for clients that were written against an older one.

What they send must still be taken, so a request may only allow more; what they read must still
come, so an answer may only promise more. Whatever cannot be compared counts as a break: a keyword
that is not known here may not change at all.
"""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_LOWER_BOUNDS = ("minimum", "minLength", "minItems", "minProperties", "exclusiveMinimum")
_UPPER_BOUNDS = ("maximum", "maxLength", "maxItems", "maxProperties", "exclusiveMaximum")
_FIXED = ("pattern", "format", "not", "multipleOf", "uniqueItems", "dependentRequired")
"""May go where more is allowed, but not change."""
_PARTS = ("anyOf", "oneOf", "allOf")
_COMPARED = {
    *("type", "enum", "const", "properties", "required", "items", "additionalProperties"),
    *(*_LOWER_BOUNDS, *_UPPER_BOUNDS, *_FIXED, *_PARTS),
}
_FOR_PEOPLE = {
    *("title", "summary", "description", "example", "examples", "deprecated", "externalDocs"),
    *("tags", "operationId", "bearerFormat", "$comment"),
}
"""Keywords that change nothing of what is sent."""


def breaking_changes(old: Json, new: Json) -> list[str]:
    """A sentence for each change from the document ``old`` to ``new`` that breaks clients."""
    return list(_Comparison(old, new).changes())


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new

    def changes(self) -> Iterator[str]:
        gone = {s["url"] for s in self._old["servers"]} - {s["url"] for s in self._new["servers"]}
        yield from (f"server {url}: gone" for url in sorted(gone))
        for path, item in self._old["paths"].items():
            after = self._new["paths"].get(path, {})
            yield from _changed(path, item, after, *_METHODS)
            for method in filter(item.__contains__, _METHODS):
                where = f"{method.upper()} {path}"
                if method in after:
                    yield from self._operation(where, item[method], after[method])
                else:
                    yield f"{where}: gone"

    def _operation(self, where: str, old: Json, new: Json) -> Iterator[str]:
        known = ("security", "servers", "parameters", "requestBody", "responses")
        yield from _changed(where, old, new, *known)
        yield from self._security(where, old, new)
        if old.get("servers", []) != new.get("servers", []):
            yield f"{where}: moved to another server"
        yield from self._parameters(where, old, new)
        yield from self._request(where, old.get("requestBody"), new.get("requestBody"))
        for status, response in old["responses"].items():
            if status not in new["responses"]:
                if status.startswith("2"):
                    yield f"{where}: {status} is gone"
                continue
            yield from self._response(f"{where}: {status}", response, new["responses"][status])

    def _security(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before, after = _ways_in(old, self._old), _ways_in(new, self._new)
        if {} in before and {} not in after:
            yield f"{where}: needs a token"
        elif {} not in after:
            yield from (f"{where}: {way} is no longer taken" for way in before if way not in after)

    def _response(self, where: str, old: Json, new: Json) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        yield from _changed(where, old, new, "headers", "content")
        yield from self._media(where, old.get("content", {}), new.get("content", {}), sent=False)
        after = new.get("headers", {})
        for name, header in old.get("headers", {}).items():
            if name in after:
                yield from self._header(f"{where}: header {name}", header, after[name])
            else:
                yield f"{where}: header {name} is gone"

    def _header(self, where: str, old: Json, new: Json) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        yield from _changed(where, old, new, "required", "schema")
        if old.get("required") and not new.get("required"):
            yield f"{where} need not come"
        yield from self._schema(where, old.get("schema", {}), new.get("schema", {}), sent=False)

    def _parameters(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before, after = _parameters(old, self._old), _parameters(new, self._new)
        for key, parameter in before.items():
            at = f"{where}: {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{at} is gone"
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{at} is required"
            yield from _changed(at, parameter, after[key], "in", "name", "required", "schema")
            schemas = (p.get("schema", {}) for p in (parameter, after[key]))
            yield from self._schema(at, *schemas, sent=True)
        for key in after.keys() - before.keys():
            if after[key].get("required"):
                yield f"{where}: {key[0]} parameter {key[1]} is new and required"

    def _request(self, where: str, old: Json | None, new: Json | None) -> Iterator[str]:
        if old is None:
            if new is not None and new.get("required"):
                yield f"{where}: a body is required"
        elif new is None:
            yield f"{where}: takes no body"
        else:
            yield from _changed(f"{where}: body", old, new, "required", "content")
            if new.get("required") and not old.get("required"):
                yield f"{where}: a body is required"
            yield from self._media(f"{where}: body", old["content"], new["content"], sent=True)

    def _media(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        for media, described in old.items():
            if media not in new:
                yield f"{where}: {media} is gone"
                continue
            yield from _changed(where, described, new[media], "schema", "encoding")
            parts = (m.get("encoding", {}) for m in (described, new[media]))
            yield from _encoding_changes(where, *parts)
            schemas = (m.get("schema", {}) for m in (described, new[media]))
            yield from self._schema(where, *schemas, sent=sent)

    def _schema(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        # What is sent must fit what was taken before; what is read must fit what came before.
        narrow, wide = (old, new) if sent else (new, old)
        yield from (f"{where}: {text}" for text in _not_within(narrow, wide))
        yield from _changed(where, old, new, *_COMPARED)
        yield from self._members(where, old, new, sent=sent)
        yield from self._further_members(where, old, new, sent=sent)
        if "items" in old or "items" in new:
            items = old.get("items", {}), new.get("items", {})
            yield from self._schema(f"{where}/*", *items, sent=sent)
        for name in filter(wide.__contains__, _PARTS):
            if len(old.get(name, ())) != len(new.get(name, ())):
                yield f"{where}: {name} has other parts"
            else:
                for part in zip(old[name], new[name], strict=True):
                    yield from self._schema(f"{where}: {name}", *part, sent=sent)

    def _members(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before:
            if name in after:
                yield from self._schema(f"{where}/{name}", before[name], after[name], sent=sent)
            else:
                yield f"{where}/{name} is gone"
        must, may = set(new.get("required", ())), set(old.get("required", ()))
        if sent:
            yield from (f"{where}/{name} is required" for name in sorted(must - may))
        else:
            yield from (
                f"{where}/{name} need not come" for name in sorted((may - must) & after.keys())
            )

    def _further_members(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        before, after = (s.get("additionalProperties", True) for s in (old, new))
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self._schema(f"{where}/?", before, after, sent=sent)
        # Clients are told to expect more members in answers than there were.
        elif before != after and (after not in (True, {}) if sent else isinstance(before, dict)):
            yield f"{where}: members {before} are not within {after}"


def _changed(where: str, old: Json, new: Json, *compared: str) -> Iterator[str]:
    """Keywords that differ, and are neither compared elsewhere nor for people."""
    for name in sorted((old.keys() | new.keys()) - _FOR_PEOPLE - set(compared)):
        if old.get(name) != new.get(name) and not name.startswith("x-"):
            yield f"{where}: {name} {old.get(name)} became {new.get(name)}"


def _encoding_changes(where: str, old: Json, new: Json) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, {}), new.get(name, {})
        yield from _changed(f"{where}/{name}", before, after, "contentType")
        types = [part.get("contentType", "") for part in (before, after)]
        allowed = [{t.strip() for t in text.split(",")} for text in types]
        if types[1] and not allowed[0] <= allowed[1]:
            yield f"{where}/{name}: contentType {types[0]} is not within {types[1]}"


def _ways_in(operation: Json, document: Json) -> list[Json]:
    """The schemes, with their scopes, each of which lets a client in; {}: anybody."""
    schemes = document.get("components", {}).get("securitySchemes", {})
    needed = operation.get("security", document.get("security", [])) or [{}]
    return [
        {_wire(_resolved(schemes[name], document)): scopes for name, scopes in way.items()}
        for way in needed
    ]


def _wire(scheme: Json) -> str:
    return ", ".join(f"{k} {scheme[k]}" for k in sorted(scheme.keys() - _FOR_PEOPLE))


def _resolved(node: Json, document: Json) -> Json:
    """``node`` with what it refers to, under what it says beside."""
    while "$ref" in node:
        found: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = {**found, **{name: value for name, value in node.items() if name != "$ref"}}
    return node


def _parameters(operation: Json, document: Json) -> dict[tuple[str, str], Json]:
    """By where they stand and their names."""
    found = [_resolved(parameter, document) for parameter in operation.get("parameters", ())]
    return {(parameter["in"], parameter["name"]): parameter for parameter in found}


def _not_within(narrow: Json, wide: Json) -> Iterator[str]:
    """Why a value that fits ``narrow`` may not fit ``wide``, leaving members aside."""
    if not _types(narrow) <= _types(wide):
        yield f"type {narrow.get('type')} is not within {wide.get('type')}"
    few, many = _values(narrow), _values(wide)
    if many is not None and (few is None or not few <= many):
        yield f"values {few} are not within {many}"
    for name in _LOWER_BOUNDS:
        if name in wide and narrow.get(name, float("-inf")) < wide[name]:
            yield f"{name} {narrow.get(name)} is not within {wide[name]}"
    for name in _UPPER_BOUNDS:
        if name in wide and narrow.get(name, float("inf")) > wide[name]:
            yield f"{name} {narrow.get(name)} is not within {wide[name]}"
    for name in _FIXED:
        if name in wide and narrow.get(name) != wide[name]:
            yield f"{name} {narrow.get(name)} is another than {wide[name]}"


def _values(schema: Json) -> set[str] | None:
    """All that are allowed, where they are listed."""
    if "const" in schema:
        return {repr(schema["const"])}
    return {repr(value) for value in schema["enum"]} if "enum" in schema else None


_ANY = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def _types(schema: Json) -> frozenset[str]:
    given = schema.get("type", _ANY)
    types = {given} if isinstance(given, str) else set(given)
    return frozenset(types | ({"integer"} if "number" in types else set()))
