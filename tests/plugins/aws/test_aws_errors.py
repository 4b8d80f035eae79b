"""What operators are told, and what the SDK is told to do."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.stub import Stubber
from marshmallow import ValidationError

from foodlog.errors import ProviderError, ProviderTimeout, TooLarge, Unprocessable
from foodlog.models import MealQuery
from foodlog.testing.storage_users import user
from foodlog_plugins.aws_storage import AwsStorage
from foodlog_plugins.aws_storage.errors import DOUBT, aws_errors

Make = Callable[..., AwsStorage]
TABLE = "The table Meals (storage.options.meals_table)"


def answered(
    code: str, operation: str = "PutItem", message: str = "", **metadata: bool
) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return ClientError(response, operation)


def raised(error: Exception, service: str = "dynamodb") -> Exception:
    with pytest.raises(Exception) as caught, aws_errors(service, TABLE):  # noqa: PT011
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "service", "sentence"),
    [
        (answered("AccessDeniedException"), "dynamodb", "permission dynamodb:PutItem is missing"),
        (answered("AccessDenied", "PutObject"), "s3", "s3:PutObject (and s3:PutObjectAcl"),
        (answered("403", "HeadBucket"), "s3", "The permission s3:ListBucket is missing"),
        (answered("AccessDenied", "DeleteObject"), "s3", "s3:DeleteObject is missing"),
        (answered("NoSuchBucket", "PutObject"), "s3", "does not exist. `foodlog aws init`"),
        (answered("404", "HeadBucket"), "s3", "does not exist. `foodlog aws init`"),
        (answered("ResourceNotFoundException"), "dynamodb", "does not exist. `foodlog aws init`"),
        (answered("PermanentRedirect", "GetObject"), "s3", "another region. Set storage.options"),
        (answered("InvalidAccessKeyId", "PutObject"), "s3", "AWS_ACCESS_KEY_ID"),
        (answered("AccessControlListNotSupported", "PutObject"), "s3", "(AWS_S3_ACL)"),
        (NoCredentialsError(), "s3", "AWS_ACCESS_KEY_ID"),
    ],
)
def test_what_an_operator_must_change_is_said(
    error: Exception, service: str, sentence: str
) -> None:
    told = raised(error, service)
    assert isinstance(told, ProviderError)
    assert sentence in str(told)
    assert told.permanent


def test_a_bucket_without_acls_names_the_setting_and_its_other_values() -> None:
    told = str(raised(answered("AccessControlListNotSupported", "PutObject"), "s3"))
    assert "storage.options.acl" in told
    assert "private" in told
    assert "empty" in told


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "SlowDown"]
)
def test_throttling_passes(code: str) -> None:
    told = raised(answered(code))
    assert isinstance(told, ProviderError)
    assert (told.status, told.retry_after, told.permanent) == (503, 1, False)


@pytest.mark.parametrize("kind", [ReadTimeoutError, ConnectTimeoutError, ConnectionClosedError])
def test_no_answer_in_time_is_a_time_out(kind: type[BotoCoreError]) -> None:
    assert isinstance(raised(kind(endpoint_url="https://x.example")), ProviderTimeout)


def test_nobody_there_is_worth_another_try() -> None:
    told = raised(EndpointConnectionError(endpoint_url="https://x.example"))
    assert isinstance(told, ProviderError)
    assert "cannot be reached" in str(told)
    assert told.retry_after == 1


@pytest.mark.parametrize(
    "error",
    [
        answered("ThrottlingException", **{DOUBT: True}),
        EndpointConnectionError(endpoint_url="https://x.example"),
    ],
)
def test_what_an_earlier_try_may_still_do_is_a_time_out_that_is_answered_as_a_refusal(
    error: Exception,
) -> None:
    told = raised(error)
    assert isinstance(told, ProviderTimeout)
    assert (told.status, told.code, told.retry_after) == (503, "provider_unavailable", 1)
    assert told.title == ProviderError.title


def test_what_is_refused_at_every_try_is_surely_not_done() -> None:
    for code in ("ThrottlingException", "AccessDeniedException"):
        refused = answered(code, **{DOUBT: False})
        assert not isinstance(raised(refused), ProviderTimeout)


def test_an_unknown_answer_is_named() -> None:
    told = raised(answered("InternalServerError", message="Oops"))
    assert str(told) == f"{TABLE} answered InternalServerError to PutItem: Oops"


def test_a_meal_that_is_too_large_or_too_deep_is_the_clients_to_change() -> None:
    large = "Item size has exceeded the maximum allowed size"
    deep = "Nesting Levels have exceeded supported limits"
    assert isinstance(raised(answered("ValidationException", message=large)), TooLarge)
    assert isinstance(raised(answered("ValidationException", message=deep)), Unprocessable)


@pytest.mark.parametrize("method", ["get", "list", "delete", "reach", "try_permissions"])
def test_every_call_for_photos_says_what_is_wrong(make: Make, method: str) -> None:
    storage = make()
    operations = {
        "get": "get_object",
        "list": "list_objects_v2",
        "delete": "delete_object",
        "reach": "head_bucket",
        "try_permissions": "put_object",
    }
    with Stubber(storage.clients.s3) as stubber:
        if method == "try_permissions":
            stubber.add_response("head_bucket", {})
        stubber.add_client_error(operations[method], "AccessDenied")
        arguments = ["k"] if method in ("get", "delete") else []
        with pytest.raises(ProviderError, match="permission s3:"):
            list(getattr(storage.photos, method)(*arguments) or [])


@pytest.mark.parametrize(
    ("method", "arguments", "operation"),
    [
        ("get", ["k"], "get_item"),
        ("scan", [], "scan"),
        ("delete", ["k"], "delete_item"),
        ("list", [MealQuery(user_id="ann", limit=1)], "query"),
    ],
)
def test_every_call_for_meals_says_what_is_wrong(
    make: Make, method: str, arguments: list[object], operation: str
) -> None:
    storage = make()
    with Stubber(storage.clients.dynamodb) as stubber:
        stubber.add_client_error(operation, "AccessDeniedException", "not authorized")
        with pytest.raises(ProviderError, match="permission dynamodb:"):
            list(getattr(storage.meals, method)(*arguments) or [])


def test_a_failing_write_is_no_failed_condition(make: Make) -> None:
    storage = make()
    with Stubber(storage.clients.dynamodb) as stubber:
        stubber.add_client_error("put_item", "ResourceNotFoundException")
        with pytest.raises(ProviderError, match="does not exist"):
            storage.users.replace(user("ann"))


def test_the_sdk_is_given_bounds(make: Make) -> None:
    loaded = AwsStorage.Options().load({"bucket": "photos", "region": "eu-west-1"})
    for client in (make(**loaded).clients.s3, make(**loaded).clients.dynamodb):
        config = client.meta.config
        assert config.retries == {"mode": "standard", "total_max_attempts": 3}
        assert (config.connect_timeout, config.read_timeout) == (1.0, 2.5)
        assert config.max_pool_connections == 8


def test_no_region_is_said(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(ProviderError, match=r"storage\.options\.region"):
        make(region="")


def test_the_region_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    assert make(region="").clients.region == "eu-north-1"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("bucket", "Not_A_Bucket"),
        ("bucket", ""),
        ("meals_table", "a b"),
        ("acl", "public"),
        ("region", "eu west"),
        ("server_side_encryption", "rot13"),
        ("presigned_minutes", 0),
        ("attempts", 0),
    ],
)
def test_bad_options_are_refused(option: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        AwsStorage.Options().load({"bucket": "photos", option: value})
    assert option in caught.value.messages_dict


def test_the_sdk_is_not_imported_before_a_storage_is_built() -> None:
    code = (
        "import sys, foodlog_plugins.aws_storage\n"
        "sys.exit(any(m.startswith(('boto3', 'botocore')) for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parent)
