"""The prose of the OpenAPI document."""

INTRODUCTION = """\
A photo of a meal in, a logged meal with its nutrition out.

Sign up or log in, and send the token you are given as `Authorization: Bearer <token>`. Where the
server runs in single-user mode no token is needed anywhere.

Errors are RFC 9457 problems. A method a path does not have is answered with 405, an unknown path
with 404, a body over 11 MiB with 413 wherever it is sent. HEAD is answered wherever GET is, without
the body. Unknown form parts and JSON members are refused with 422, and so are query parameters that
a path with some does not know; elsewhere they are ignored. Answers may gain members with any
release: ignore what you do not know. Limits are the defaults; an operator may have set others, and
another status than 422 for a photo that is rejected. Each answer has an `X-Request-ID`, which the
server's log has too.
"""

TAGS = {
    "accounts": "Signing up, logging in, who one is.",
    "meals": "Photos become meals; meals make a history.",
    "photos": "Photos of their own, and the photos of meals.",
    "service": "Whether it works, and this contract.",
    "legacy": "Names of the legacy app, under its prefix only.",
}

PROBLEMS = {
    400: ("BadRequest", "The request cannot be read."),
    401: ("Unauthorized", "No valid token or credentials."),
    403: ("Forbidden", "The photo's URL is not signed, or has expired."),
    404: ("NotFound", "There is nothing here."),
    408: ("RequestTimeout", "The body took too long to arrive."),
    409: ("Conflict", "There is an account with this e-mail already."),
    413: ("TooLarge", "The body, or the photo in it, is too large."),
    415: ("UnsupportedMediaType", "The bytes are of no supported type."),
    422: ("Refused", "The request was understood and refused."),
    503: ("Unavailable", "The server is busy, or something it depends on is not available."),
    504: ("TimedOut", "Something the server depends on did not answer in time."),
    507: ("StorageFull", "There is no room left to store this."),
}
"""A name and a sentence for each status."""
