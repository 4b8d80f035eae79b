"""Photos in an S3 bucket."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from botocore.exceptions import ClientError

from foodlog.errors import ProviderError
from foodlog.models import StoredPhoto
from foodlog.providers import PhotoStore
from foodlog.records import is_photo_key
from foodlog.signing import REMEMBERED_URLS, URL_STEP
from foodlog_plugins.aws_storage.errors import aws_errors, code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LONGEST_SIGNED = 7 * 24 * 3600
"""Seconds a signed URL may work (S3 User Guide, "Sharing objects with presigned URLs")."""
MOST_BYTES = 128 * 1024 * 1024
"""A larger object is no photo of ours and is not read into memory."""
PROBE = "foodlog-check"
"""A key that no photo has."""
NO_SUCH_ETAG = '"00000000000000000000000000000000"'
AMAZONS = r"s3([.-](dualstack\.)?[a-z]{2}(-[a-z]+)+-\d)?\.amazonaws\.com(\.cn)?"
"""Hosts of S3, with and without a region (S3 User Guide, "Virtual hosting of buckets")."""


class S3Photos(PhotoStore):
    """Photos under their keys, with their content type and the ACL that is configured."""

    def __init__(
        self,
        client: "S3Client",
        options: Mapping[str, Any],
        clock: Callable[[], datetime],
        signer: Callable[[], str | None],
    ) -> None:
        """``signer``: whose credentials sign URLs now; none outlives a change of them."""
        self._client = client
        self._clock, self._signer = clock, signer
        self._bucket: str = options["bucket"]
        # A URL is given out for up to a step after it was signed.
        self._seconds = min(options["presigned_minutes"] * 60 + URL_STEP, LONGEST_SIGNED)
        self._remembered = lru_cache(maxsize=REMEMBERED_URLS)(self._sign)
        self._signed = options["acl"] == "private"
        self._resource = f"The bucket {self._bucket} (storage.options.bucket)"
        self._own_urls = _own_urls(self._bucket, options["s3_endpoint_url"])
        self._headers: dict[str, Any] = {}
        if options["acl"] == "public-read":  # objects are private unless told otherwise
            self._headers["ACL"] = options["acl"]
        if options["server_side_encryption"]:
            self._headers["ServerSideEncryption"] = options["server_side_encryption"]

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store; S3 has it on several disks when this returns. ValueError: a bad key."""
        if not is_photo_key(key):
            raise ValueError("not a photo key")
        with aws_errors("s3", self._resource):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=data, ContentType=content_type, **self._headers
            )

    def get(self, key: str) -> tuple[bytes, str] | None:
        """The bytes and their content type; None where there is no such photo."""
        if not is_photo_key(key):
            return None
        with aws_errors("s3", self._resource):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return None
                raise
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > MOST_BYTES:
                    raise ProviderError(f"{self._resource}: an object is too large for a photo.")
                return body.read(), answer["ContentType"]

    def delete(self, key: str) -> None:
        """Remove; nothing happens where there is no such photo."""
        if is_photo_key(key):
            with aws_errors("s3", self._resource):
                self._client.delete_object(Bucket=self._bucket, Key=key)

    def url(self, key: str) -> str:
        """Where a client fetches the photo: a lasting URL, or a signed one that expires.

        A signed one stays the same for a quarter of an hour, so that pages of a history do too.
        """
        if not self._signed:
            return self._base_url + quote(key)
        with aws_errors("s3", self._resource):
            step = int(self._clock().timestamp() // URL_STEP)
            return self._remembered(key, step, self._signer())

    def key_of(self, url: str | None) -> str | None:
        """The key of the photo ``url`` shows, where it is one of this bucket's."""
        path = self._own_urls.fullmatch((url or "").partition("?")[0])
        key = unquote(path["key"]) if path else ""
        return key if is_photo_key(key) else None

    def list(self, prefix: str = "") -> Iterator[StoredPhoto]:
        """All photos whose key starts with ``prefix``, read a thousand at a time."""
        pages = self._client.get_paginator("list_objects_v2")
        with aws_errors("s3", self._resource):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield StoredPhoto(
                        key=found["Key"],
                        size=found["Size"],
                        modified_at=found["LastModified"].astimezone(UTC),
                    )

    def reach(self) -> None:
        """Find out whether the bucket is there and may be listed."""
        with aws_errors("s3", self._resource):
            self._client.head_bucket(Bucket=self._bucket)

    def try_permissions(self) -> None:
        """Find out whether photos may be stored, read and deleted, without storing one.

        The photo is put on the condition that it replaces one that does not exist.
        """
        self.reach()
        with aws_errors("s3", self._resource):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=PROBE, IfMatch=NO_SUCH_ETAG, **self._headers
                )
            except ClientError as error:
                if code_of(error) not in {"NoSuchKey", "PreconditionFailed"}:
                    raise
        self.get(PROBE)
        self.delete(PROBE)

    def _sign(self, key: str, *_: object) -> str:
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=self._seconds
        )

    @cached_property
    def _base_url(self) -> str:
        # The SDK knows how partitions, endpoints and dots in a bucket's name are written.
        with aws_errors("s3", self._resource):
            return self._sign("x").partition("?")[0].removesuffix("x")


def _own_urls(bucket: str, endpoint_url: str | None) -> re.Pattern[str]:
    """Matches the URLs of a bucket's objects: the bucket is in the host, or begins the path.

    Amazon's are among them whatever the endpoint is: the Flask service wrote no others.
    """
    hosts = [AMAZONS, *([re.escape(urlsplit(endpoint_url).netloc)] if endpoint_url else [])]
    host, name = f"({'|'.join(hosts)})", re.escape(bucket)
    return re.compile(rf"(?i:https?://({name}\.{host}|{host}/{name}))/(?P<key>[^#]+)")
