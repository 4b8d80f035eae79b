"""Storage in Amazon's cloud: photos in S3, meals and users in DynamoDB.

Registered under the name ``aws_storage``. The SDK is imported when the storage is built, not
with this package.
"""

from collections.abc import Iterable

from foodlog import hookimpl
from foodlog_plugins.aws_storage.storage import AwsStorage


@hookimpl
def foodlog_storages() -> Iterable[type[AwsStorage]]:
    """The one storage this package offers."""
    return [AwsStorage]
