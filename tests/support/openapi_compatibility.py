"""What a change of the contract breaks for clients that were written against an older one.

What they send must still be taken, so a request may only allow more; what they read must still
come, so an answer may only promise more. Whatever cannot be compared counts as a break.
"""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_LOWER_BOUNDS = ("minimum", "minLength", "minItems", "exclusiveMinimum")
_UPPER_BOUNDS = ("maximum", "maxLength", "maxItems", "exclusiveMaximum")
_FIXED = ("pattern", "format", "anyOf", "oneOf", "allOf", "not")


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
            for method in filter(item.__contains__, _METHODS):
                where = f"{method.upper()} {path}"
                new = self._new["paths"].get(path, {}).get(method)
                if new is None:
                    yield f"{where}: gone"
                else:
                    yield from self._operation(where, item[method], new)

    def _operation(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if _is_open(old) and not _is_open(new):
            yield f"{where}: needs a token"
        if old.get("servers", []) != new.get("servers", []):
            yield f"{where}: moved to another server"
        yield from self._parameters(where, old, new)
        yield from self._request(where, old.get("requestBody"), new.get("requestBody"))
        for status, response in old["responses"].items():
            if status not in new["responses"]:
                if status.startswith("2"):
                    yield f"{where}: {status} is gone"
                continue
            before = _resolved(response, self._old).get("content", {})
            after = _resolved(new["responses"][status], self._new).get("content", {})
            yield from self._media(f"{where}: {status}", before, after, sent=False)

    def _parameters(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before, after = (
            {(p["in"], p["name"]): p for p in operation.get("parameters", ())}
            for operation in (old, new)
        )
        for key, parameter in before.items():
            at = f"{where}: {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{at} is gone"
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{at} is required"
            yield from self._schema(at, parameter["schema"], after[key]["schema"], sent=True)
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
            if new.get("required") and not old.get("required"):
                yield f"{where}: a body is required"
            yield from self._media(f"{where}: body", old["content"], new["content"], sent=True)

    def _media(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        for media, described in old.items():
            if media in new:
                schemas = described["schema"], new[media]["schema"]
                yield from self._schema(where, *schemas, sent=sent)
            else:
                yield f"{where}: {media} is gone"

    def _schema(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        # What is sent must fit what was taken before; what is read must fit what came before.
        narrow, wide = (old, new) if sent else (new, old)
        yield from (f"{where}: {text}" for text in _not_within(narrow, wide))
        yield from self._members(where, old, new, sent=sent)
        if "items" in old and "items" in new:
            yield from self._schema(f"{where}/*", old["items"], new["items"], sent=sent)

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


def _is_open(operation: Json) -> bool:
    return not operation["security"] or {} in operation["security"]


def _resolved(node: Json, document: Json) -> Json:
    while "$ref" in node:
        found: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def _not_within(narrow: Json, wide: Json) -> Iterator[str]:
    """Why a value that fits ``narrow`` may not fit ``wide``, leaving members aside."""
    if not _types(narrow) <= _types(wide):
        yield f"type {narrow.get('type')} is not within {wide.get('type')}"
    if "enum" in wide and not ("enum" in narrow and _values(narrow) <= _values(wide)):
        yield f"values {narrow.get('enum')} are not within {wide['enum']}"
    for name in _LOWER_BOUNDS:
        if name in wide and narrow.get(name, float("-inf")) < wide[name]:
            yield f"{name} {narrow.get(name)} is not within {wide[name]}"
    for name in _UPPER_BOUNDS:
        if name in wide and narrow.get(name, float("inf")) > wide[name]:
            yield f"{name} {narrow.get(name)} is not within {wide[name]}"
    for name in _FIXED:
        if name in wide and narrow.get(name) != wide[name]:
            yield f"{name} {narrow.get(name)} is another than {wide[name]}"


def _values(schema: Json) -> set[str]:
    return {repr(value) for value in schema["enum"]}


_ANY = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def _types(schema: Json) -> frozenset[str]:
    given = schema.get("type", _ANY)
    types = {given} if isinstance(given, str) else set(given)
    return frozenset(types | ({"integer"} if "number" in types else set()))
