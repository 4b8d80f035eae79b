"""Password hashes: made, verified, and told when they are due for replacement.

A hash is ``bcrypt`` followed by bcrypt's own string, ``bcrypt$2b$12$...``. What bcrypt is given
is the base64 of HMAC-SHA256(pepper, password in NFC): bcrypt alone takes 72 bytes and stops at
NUL. The key keeps hashes of this kind apart from bare SHA-256 digests that leaked elsewhere. It
is a constant of the application and no secret: a secret one would lock everybody out the day it
is rotated, or the day the accounts move to another storage, and bcrypt does not need it.

Hashes of the Flask service's users (Werkzeug's ``scrypt:N:r:p$salt$hex`` and
``pbkdf2:digest:iterations$salt$hex``) are verified too.
"""

import hashlib
import hmac
import re
import unicodedata
from base64 import b64encode

PEPPER = b"foodlog-password-v1"
MAX_ROUNDS = 15
"""bcrypt's cost at most (two seconds or so), also in a stored hash."""

_BCRYPT = re.compile(r"bcrypt(\$2b\$([0-9]{2})\$[./A-Za-z0-9]{53})")
_SCRYPT = re.compile(
    r"scrypt:([0-9]{1,7}):([0-9]{1,3}):([0-9]{1,3})\$([!-#%-~]{1,64})\$([0-9a-f]{128})"
)
_PBKDF2 = re.compile(
    r"pbkdf2:(sha1|sha256|sha512):([0-9]{1,7})\$([!-#%-~]{1,64})\$([0-9a-f]{40,128})"
)
_MAX_SCRYPT_WORK = 2**19
"""N * r * p at most: twice Werkzeug's default; 64 MiB."""
_SCRYPT_MEMORY = 80 * 2**20
_MAX_ITERATIONS = 4_000_000
"""Four times Werkzeug's default; a second or so."""


class Passwords:
    """Hashes and verifies passwords; a quarter of a second each at the default cost.

    ``rounds``: bcrypt's cost, 4..15; each more doubles the time. Raises ValueError beyond.
    """

    def __init__(self, rounds: int = 12) -> None:
        if not 4 <= rounds <= MAX_ROUNDS:
            raise ValueError(f"bcrypt rounds must be 4 to {MAX_ROUNDS}, not {rounds}")
        self._rounds = rounds

    def hash(self, password: str) -> str:
        """A new hash with a salt of its own; 66 ASCII characters."""
        import bcrypt

        hashed = bcrypt.hashpw(_digest(password), bcrypt.gensalt(self._rounds))
        return "bcrypt" + hashed.decode("ascii")

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether ``stored`` is a hash of ``password``. Never raises.

        None, for an account that does not exist, takes as long as a hash of :meth:`hash`, and so
        does a stored value that is no hash at all. A wrong password against one of Werkzeug's
        hashes takes about as long: its own time, a third to a whole of bcrypt's, and that of
        bcrypt at half the cost. What difference stays goes with the account's next log-in.
        """
        stored = stored or ""
        if (ours := _BCRYPT.fullmatch(stored)) and 4 <= int(ours[2]) <= MAX_ROUNDS:
            return _matches_bcrypt(password, ours[1])
        matches = _verify_werkzeug(password, stored)
        if not matches:
            known = matches is not None
            _matches_bcrypt(password, _decoy(max(4, self._rounds - known)))
        return bool(matches)

    def needs_rehash(self, stored: str) -> bool:
        """Whether ``stored`` is of another scheme or cost than :meth:`hash` makes."""
        ours = _BCRYPT.fullmatch(stored)
        return ours is None or int(ours[2]) != self._rounds


def _digest(password: str) -> bytes:
    text = unicodedata.normalize("NFC", password)
    return b64encode(hmac.digest(PEPPER, _utf8(text), "sha256"))


def _matches_bcrypt(password: str, hashed: str) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(_digest(password), hashed.encode("ascii"))
    except ValueError:  # a salt whose last character bcrypt could not have written
        return False


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decoy(rounds: int) -> str:
    """A well-formed hash that costs no time to make."""
    return f"$2b${rounds:02}${'.' * 53}"


def _verify_werkzeug(password: str, stored: str) -> bool | None:
    """Whether it matches; None where ``stored`` is none of Werkzeug's, or costs too much."""
    if found := _SCRYPT.fullmatch(stored):
        n, r, p = (int(number) for number in found.group(1, 2, 3))
        if n * r * p > _MAX_SCRYPT_WORK:
            return None
        try:
            digest = hashlib.scrypt(
                _utf8(password), salt=found[4].encode(), n=n, r=r, p=p, maxmem=_SCRYPT_MEMORY
            )
        except ValueError:  # N is no power of two, or one of them is 0
            return None
        return hmac.compare_digest(digest.hex(), found[5])
    if (found := _PBKDF2.fullmatch(stored)) and 1 <= int(found[2]) <= _MAX_ITERATIONS:
        digest = hashlib.pbkdf2_hmac(found[1], _utf8(password), found[3].encode(), int(found[2]))
        return hmac.compare_digest(digest.hex(), found[4])
    return None
