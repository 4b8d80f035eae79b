import hashlib
import string
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from foodlog.errors import Malformed
from foodlog.models import Position
from foodlog.signing import Signer, derived_id, fingerprint

signer = Signer(b"s" * 32)
NOW = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
PLACE = Position(NOW, "m1")
URL_SAFE = set(string.ascii_letters + string.digits + "-_.")

texts = st.text(max_size=40)
moments = st.datetimes(timezones=st.just(UTC))
filters = st.lists(st.one_of(st.none(), texts), max_size=3)


def parts_of(url):
    parsed = urlsplit(url)
    query = parse_qs(parsed.query)
    key = unquote(parsed.path).removeprefix("/uploads/")
    return key, int(query["expires"][0]), query["signature"][0]


@given(texts, texts)
def test_a_signature_is_good_for_its_text_and_purpose_only(text, other):
    assume(text != other)
    signature = signer.sign("photo", text)
    assert len(signature) == 24
    assert set(signature) <= URL_SAFE
    assert signer.verify("photo", text, signature)
    assert not signer.verify("photo", other, signature)
    assert not signer.verify("cursor", text, signature)
    assert not Signer(b"t" * 32).verify("photo", text, signature)


@given(st.text())
def test_no_text_passes_for_a_signature_or_raises(signature):
    assume(signature != signer.sign("photo", "text"))
    assert not signer.verify("photo", "text", signature)


def test_lone_surrogates_are_signed_like_any_text():
    assert signer.verify("photo", "\ud800", signer.sign("photo", "\ud800"))
    assert not signer.verify("photo", "x", "\ud800")


def test_after_a_rotation_signatures_of_the_key_before_are_still_good():
    before = signer.sign("photo", "text")
    rotated = Signer(b"t" * 32, previous_secrets=[b"s" * 32])
    assert rotated.verify("photo", "text", before)
    assert rotated.sign("photo", "text") != before


@given(texts.filter(bool), st.integers(0, 2**35))
def test_a_photo_url_is_good_for_its_key_until_it_expires(key, seconds):
    expires_at = datetime.fromtimestamp(seconds, UTC)
    url = signer.photo_url(key, expires_at)
    assert url.isascii()
    assert " " not in url
    got, expires, signature = parts_of(url)
    assert got == key
    assert seconds <= expires < seconds + 900
    assert expires % 900 == 0
    end = datetime.fromtimestamp(expires, UTC)
    assert signer.check_photo(key, expires, signature, end - timedelta(milliseconds=1))
    assert not signer.check_photo(key, expires, signature, end)
    assert not signer.check_photo(key + "x", expires, signature, end - timedelta(seconds=1))


def test_a_photo_url_with_a_later_expiry_or_another_signature_is_refused():
    key, expires, signature = parts_of(signer.photo_url("u1/a b.jpg", NOW))
    assert not signer.check_photo(key, expires + 900, signature, NOW)
    assert not signer.check_photo(key, expires, "", NOW)
    assert not signer.check_photo(key, 0, "", NOW)
    assert not signer.check_photo(key, -(10**60), signature, NOW)
    assert signer.check_photo(key, expires, signature, NOW)


def test_a_photo_url_stays_the_same_for_a_quarter_hour():
    urls = {
        signer.photo_url(
            "u1/m1.jpg", datetime(2031, 1, 1, 12, 0, tzinfo=UTC) + timedelta(minutes=m)
        )
        for m in range(1, 16)
    }
    assert len(urls) == 1
    assert urls.pop().startswith("/uploads/u1/m1.jpg?expires=1925036100&signature=")


def test_a_key_cannot_be_moved_into_the_expiry():
    _, expires, signature = parts_of(signer.photo_url("1:x", NOW))
    assert not signer.check_photo("x", int(f"{expires}1"), signature, NOW)


@given(texts, moments, texts, filters)
def test_a_cursor_is_read_back_as_the_place_it_was_made_of(user_id, moment, meal_id, chosen):
    text = signer.cursor(user_id, Position(moment, meal_id), chosen)
    assert set(text) <= URL_SAFE
    assert signer.read_cursor(text, user_id, chosen) == Position(moment, meal_id)


def test_a_cursor_keeps_the_microsecond_and_not_the_zone():
    local = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    place = signer.read_cursor(signer.cursor("u1", Position(local, "m1"), []), "u1", [])
    assert place == PLACE
    assert place.consumed_at.tzinfo is UTC


def refusal(text, user_id="u1", chosen=(), reader=signer):
    with pytest.raises(Malformed) as caught:
        reader.read_cursor(text, user_id, chosen)
    assert [v.pointer for v in caught.value.violations] == ["/cursor"]
    return str(caught.value)


@given(texts, texts, filters, filters)
def test_a_cursor_of_another_user_or_other_filters_is_refused(user_id, other, chosen, others):
    text = signer.cursor(user_id, PLACE, chosen)
    if other != user_id:
        refusal(text, other, chosen)
    if others != chosen:
        refusal(text, user_id, others)


def test_an_absent_filter_is_not_an_empty_one():
    refusal(signer.cursor("u1", PLACE, [None]), "u1", [""])
    refusal(signer.cursor("u1", PLACE, ["a", None]), "u1", [None, "a"])


@given(st.text())
def test_a_forged_cursor_is_refused_and_nothing_else_raised(text):
    assert refusal(text) == "The cursor does not belong to this list; start again without it."


@given(st.integers(0, 200), st.sampled_from(string.ascii_letters))
def test_a_cursor_with_one_character_changed_is_refused(place, character):
    text = signer.cursor("u1", PLACE, [])
    place %= len(text)
    assume(text[place] != character)
    refusal(text[:place] + character + text[place + 1 :])


def test_a_cursor_of_another_secret_or_purpose_or_over_4_kib_is_refused():
    refusal(Signer(b"t" * 32).cursor("u1", PLACE, []))
    refusal(f"e30.{signer.sign('photo', 'e30')}")
    refusal(signer.cursor("u1", Position(NOW, "m" * 4000), []))
    refusal("x" * 10_000_000)


def test_a_derived_id_depends_on_user_and_key_and_nothing_else():
    expected = hashlib.sha256(b"foodlog derived id v1:s2:u1:s3:key").hexdigest()[:32]
    assert derived_id("u1", "key") == expected
    assert (
        len({derived_id(*p) for p in [("u1", "key"), ("u1k", "ey"), ("u2", "key"), ("", "")]}) == 4
    )


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_a_fingerprint_differs_where_any_part_does(parts, others):
    assert (fingerprint(*parts) == fingerprint(*others)) == (parts == others)
    assert len(fingerprint(*parts)) == 64


def test_a_fingerprint_tells_where_a_part_ends_and_stays_as_it_is_stored():
    cases = [("a", "b"), ("ab",), ("a", ""), ("a",), (), ("a:s1:b",)]
    assert len({fingerprint(*case) for case in cases}) == len(cases)
    expected = hashlib.sha256(b"foodlog fingerprint v1:s1:a:s2:\xc3\xa9").hexdigest()
    assert fingerprint("a", "\xe9") == expected
    assert fingerprint("\ud800") != fingerprint("\ud801")
