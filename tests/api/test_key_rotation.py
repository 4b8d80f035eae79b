"""The signing key is replaced: who was logged in stays logged in, for as long as the old key is
still named."""

import pytest

from foodlog.config import parse_config, shipped_files
from foodlog.errors import ConfigError
from foodlog.options import MASK, Secret
from foodlog.settings import SECTIONS, section_fields
from foodlog.testing import photos
from foodlog.testing.client import Client, embedded, multipart
from foodlog.validation import display

OLD, NEW, OTHER = (letter * 40 for letter in "onx")


def serving(folder, auth):
    return Client(embedded(folder, f"auth: {auth}"))


@pytest.fixture
def signed_with_the_old_key(tmp_path):
    """A token and the link of a photo."""
    body, content_type = multipart([("photo", "meal.jpg", photos.jpeg(64, 48))])
    with serving(tmp_path, f"{{secret: {OLD}}}") as client:
        client.new_user()
        answer = client.request(
            "POST", "/predict", body=body, headers={"Content-Type": content_type}
        )
        assert answer.status_code == 200
        return client.token, answer.json["image_url"]


def statuses(client, signed):
    token, link = signed
    client.token = token
    history = client.request("GET", "/history").status_code
    client.token = None
    return history, client.request("GET", link).status_code


def test_what_the_previous_key_signed_is_accepted(tmp_path, signed_with_the_old_key):
    with serving(tmp_path, f"{{secret: {NEW}, previous_secrets: '{OTHER}, {OLD}'}}") as client:
        assert statuses(client, signed_with_the_old_key) == (200, 200)
        client.new_user()
        new = client.token
    with serving(tmp_path, f"{{secret: {NEW}}}") as client:
        client.token = new
        assert client.request("GET", "/history").status_code == 200, "signed with the new key"


def test_what_a_key_signed_that_is_not_named_any_more_is_refused(tmp_path, signed_with_the_old_key):
    with serving(tmp_path, f"{{secret: {NEW}, previous_secrets: [{OTHER}]}}") as client:
        assert statuses(client, signed_with_the_old_key) == (401, 403)


def test_a_previous_key_that_is_too_short_is_told(tmp_path):
    text = embedded(tmp_path, f'auth: {{secret: {NEW}, previous_secrets: "${{OLD}}"}}')
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "t.yaml", {"OLD": f"{OLD},short"})
    assert "auth.previous_secrets: a key in it has fewer than 32 bytes" in str(caught.value)
    assert "from OLD" in str(caught.value)
    assert OLD not in str(caught.value)


@pytest.mark.parametrize("file", shipped_files(), ids=lambda file: file.name)
def test_every_shipped_configuration_takes_previous_keys_and_shows_none(file):
    environ = {"JWT_SECRET_KEY": NEW, "JWT_PREVIOUS_SECRET_KEYS": f"{OLD},{OTHER}"}
    config = parse_config(file.read_text(), str(file), environ)
    assert config.auth.previous_secrets == (Secret(OLD), Secret(OTHER))
    assert OLD not in repr(config)
    field = section_fields(SECTIONS["auth"])["previous_secrets"]
    assert display(field, config.auth.previous_secrets) == MASK
    assert display(field, ()) == "[]"
