"""One session, and one client per service, for the whole process."""

from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from foodlog.concurrency import request_deadline
from foodlog.errors import ProviderError
from foodlog_plugins.aws_storage.errors import note_doubt, require_whole


class Clients:
    """The clients for S3 and DynamoDB; safe to use from many threads."""

    def __init__(self, options: Mapping[str, Any], threads: int) -> None:
        """``options``: of the storage; ``threads``: how many connections are kept open.

        Raises :class:`~foodlog.errors.ProviderError` where no region or profile is to be found.
        """
        common = Config(
            connect_timeout=options["connect_timeout"],
            read_timeout=options["read_timeout"],
            retries={"mode": "standard", "total_max_attempts": options["attempts"]},
            max_pool_connections=max(1, threads),
            tcp_keepalive=True,
            user_agent_extra="foodlog",
        )
        try:
            self._session = boto3.Session(region_name=options["region"] or None)
            self.s3 = self._session.client(
                "s3",
                endpoint_url=options["s3_endpoint_url"],
                config=common.merge(_s3_config(options["s3_endpoint_url"])),
            )
            self.dynamodb = self._session.client(
                "dynamodb", endpoint_url=options["dynamodb_endpoint_url"], config=common
            )
        except BotoCoreError as error:
            raise ProviderError(
                f"The AWS clients cannot be made: {error} Set storage.options.region "
                "(AWS_REGION), and check AWS_PROFILE where it is set.",
                permanent=True,
            ) from error
        longest_try = options["connect_timeout"] + options["read_timeout"]
        for client in (self.s3, self.dynamodb):
            after_each_try = f"needs-retry.{client.meta.service_model.service_name}"
            client.meta.events.register_first(after_each_try, _in_time(longest_try))
            client.meta.events.register_first(after_each_try, note_doubt)
        self.dynamodb.meta.events.register("before-parse.dynamodb", require_whole)
        self.region = self.dynamodb.meta.region_name
        self.partition = self._session.get_partition_for_region(self.region)

    def signer(self) -> str | None:
        """The id of the key that signs now; those of a role change every few hours."""
        credentials = self._session.get_credentials()
        return credentials.get_frozen_credentials().access_key if credentials else None

    def close(self) -> None:
        """Close the connections."""
        self.s3.close()
        self.dynamodb.close()


def _in_time(longest_try: float) -> Callable[..., Any]:
    """Lets no call be tried again where the request it is for has no time left for that.

    The first try is always made: what has to be cleaned up after a failure must get one, too.
    """

    def in_time(attempts: int, **_: Any) -> bool | None:
        deadline = request_deadline.get()
        longest_pause = 2 ** (attempts - 1)  # of the SDK's standard mode, in seconds
        late = deadline is not None and deadline.left() < longest_pause + longest_try
        return False if late else None  # None: it is for the SDK to say

    return in_time


def _s3_config(endpoint_url: str | None) -> Config:
    # Other makers' S3 often knows nothing of the checksums newer SDKs send unasked.
    if endpoint_url is None:
        # Left alone, the SDK signs URLs for the host without a region, which redirects.
        return Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
    return Config(
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
