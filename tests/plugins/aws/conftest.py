import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import pytest

from foodlog.dishes import Dishes
from foodlog.providers import Context
from foodlog.testing.aws import HOW_TO_GET_DYNALITE, dynalite, dynalite_is_missing, moto_server
from foodlog_plugins.aws_storage import AwsStorage
from foodlog_plugins.aws_storage.provisioning import plan
from foodlog_plugins.aws_storage.storage import HISTORY_INDEX
from foodlog_plugins.aws_storage.table import Table

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
Make = Callable[..., AwsStorage]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two halves of about the same length, so that two workers at most start servers."""
    for item in items:
        if HERE in item.path.parents:
            half = item.path.stem in {"test_aws_conformance", "test_aws_history", "test_aws_cost"}
            item.add_marker(pytest.mark.xdist_group(f"aws {int(half)}"))


@pytest.fixture(scope="session", autouse=True)
def aws_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", "/nowhere/config")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "example")
        # A session costs ten times what a client does, and knows no more than region and
        # credentials; those of the environment may change from test to test.
        new_session = boto3.Session
        kept = lru_cache(lambda region: new_session(region_name=region))

        def session(region_name: str | None) -> boto3.Session:
            return kept(region_name) if region_name else new_session()

        patch.setattr(boto3, "Session", session)
        yield


@pytest.fixture(scope="session")
def moto_url(aws_environment: None) -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def dynalite_url() -> Iterator[str]:
    if dynalite_is_missing(ROOT):
        pytest.skip(HOW_TO_GET_DYNALITE)
    with dynalite(ROOT) as url:
        yield url


class Shared:
    """Bucket and tables that tests share, one after the other; each leaves them empty.

    Making and describing them costs more than most tests do.
    """

    MOST = 30
    """Rows or photos that are deleted one by one; a test that leaves more leaves all to rot."""

    def __init__(self) -> None:
        self.name = new_name()
        self._made: dict[str, AwsStorage] = {}

    def set_up(self, storage: AwsStorage) -> None:
        endpoint = storage.clients.dynamodb.meta.endpoint_url
        if endpoint not in self._made:
            self._made[endpoint] = own = new_storage(storage.options)
            set_up(own)

    def empty(self, endpoint: str) -> None:
        storage = self._made[endpoint]
        left = [(storage.meals.delete, meal.id) for meal in storage.meals.scan()]
        accounts = Table(storage.clients.dynamodb, storage.options["users_table"], "email", "")
        left += [(accounts.delete, row["email"]) for row in accounts.scan()]
        left += [(storage.photos.delete, photo.key) for photo in storage.photos.list()]
        if len(left) > self.MOST:
            self.close()
            return
        for delete, key in left:
            delete(key)

    def close(self) -> None:
        for storage in self._made.values():
            storage.close()
        self.name, self._made = new_name(), {}


def new_name() -> str:
    return uuid.uuid4().hex[:12]


def new_storage(options: Mapping[str, Any]) -> AwsStorage:
    context = Context(dishes=Dishes([]), clock=lambda: datetime.now(UTC), threads=8)
    return AwsStorage(options, context)


@pytest.fixture(scope="session")
def shared() -> Iterator[Shared]:
    kept = Shared()
    yield kept
    kept.close()


@pytest.fixture
def make(aws_environment: None, shared: Shared, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes a storage; the options given override those of a test. Nothing is sent by it."""
    made = []
    shares = {"storage", "on_dynalite"} & set(request.fixturenames)
    name = shared.name if shares else new_name()

    def make(**options: Any) -> AwsStorage:
        defaults = {
            "bucket": f"photos-{name}",
            "meals_table": f"meals-{name}",
            "users_table": f"users-{name}",
            "region": "eu-west-1",
            "attempts": 1,
            "read_timeout": 30,
        }
        made.append(new_storage(AwsStorage.Options().load({**defaults, **options})))
        return made[-1]

    yield make
    for storage in made:
        storage.close()


@pytest.fixture
def on_moto(make: Make, moto_url: str) -> Make:
    """Makes storages over moto; all of one test share bucket and tables."""
    return lambda **options: make(
        **{"s3_endpoint_url": moto_url, "dynamodb_endpoint_url": moto_url, **options}
    )


@pytest.fixture
def storage(on_moto: Make, moto_url: str, shared: Shared) -> Iterator[AwsStorage]:
    """A storage over moto whose bucket and tables exist."""
    made = on_moto()
    shared.set_up(made)
    yield made
    shared.empty(moto_url)


@pytest.fixture
def on_dynalite(on_moto: Make, dynalite_url: str, shared: Shared) -> Iterator[AwsStorage]:
    """A storage over moto's S3 and dynalite whose bucket and tables exist."""
    made = on_moto(dynamodb_endpoint_url=dynalite_url)
    shared.set_up(made)
    yield made
    shared.empty(dynalite_url)


def set_up(storage: AwsStorage) -> None:
    steps = plan(storage.clients, storage.options, HISTORY_INDEX, lambda _: time.sleep(0.01)).steps
    for step in steps:
        step.run(lambda line: None)
