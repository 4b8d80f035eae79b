"""The bucket of the photos, to be made where it is missing."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from foodlog_plugins.aws_storage.errors import aws_errors, code_of
from foodlog_plugins.aws_storage.plans import Plan, Step

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")


def plan_bucket(made: Plan, s3: "S3Client", region: str, options: Mapping[str, Any]) -> None:
    """Plan to make the bucket, or find out whether photos can be stored as they are to be."""
    bucket, public = options["bucket"], options["acl"] == "public-read"
    resource = f"The bucket {bucket} (storage.options.bucket)"
    with aws_errors("s3", resource):
        if not _bucket_exists(s3, bucket):
            how = ", which allows public photos as storage.options.acl asks" if public else ""
            made.steps.append(
                Step(
                    f"make the bucket {bucket} in {region}{how}",
                    lambda report: _make_bucket(s3, bucket, region, public),
                )
            )
        elif public and not _takes_acls(s3, bucket):
            made.notes.append(
                f"{resource} has ACLs disabled: set storage.options.acl (AWS_S3_ACL) to private, "
                "or leave it empty and let a bucket policy decide."
            )
        elif public and _blocks_acls(s3, bucket):
            _plan_opening(made, s3, bucket, resource)


def _plan_opening(made: Plan, s3: "S3Client", bucket: str, resource: str) -> None:
    """A bucket that is not empty may hold what nobody is to see; it is left as it is."""
    if s3.list_objects_v2(Bucket=bucket, MaxKeys=1).get("Contents"):
        made.notes.append(
            f"{resource} blocks public ACLs: allow them (Block Public Access), or set "
            "storage.options.acl (AWS_S3_ACL) to private for signed URLs."
        )
        return
    how = "allow public photos, as storage.options.acl asks, in the bucket"
    made.steps.append(
        Step(f"{how} {bucket}, which is empty", lambda report: _open_bucket(s3, bucket))
    )


def _bucket_exists(s3: "S3Client", bucket: str) -> bool:
    return _unless("404", lambda: s3.head_bucket(Bucket=bucket)) is not None


def _takes_acls(s3: "S3Client", bucket: str) -> bool:
    found = _unless(
        "OwnershipControlsNotFoundError", lambda: s3.get_bucket_ownership_controls(Bucket=bucket)
    )
    rules = found["OwnershipControls"]["Rules"] if found else ()
    return all(rule["ObjectOwnership"] != "BucketOwnerEnforced" for rule in rules)


def _blocks_acls(s3: "S3Client", bucket: str) -> bool:
    found = _unless(
        "NoSuchPublicAccessBlockConfiguration", lambda: s3.get_public_access_block(Bucket=bucket)
    )
    block = found["PublicAccessBlockConfiguration"] if found else {}
    return bool(block.get("BlockPublicAcls") or block.get("IgnorePublicAcls"))


def _unless(missing: str, ask: Callable[[], T]) -> T | None:
    """What S3 answers; None where it says, with the code ``missing``, that there is nothing."""
    try:
        return ask()
    except ClientError as error:
        if code_of(error) != missing:
            raise
        return None


def _make_bucket(s3: "S3Client", bucket: str, region: str, public: bool) -> None:
    more: dict[str, Any] = {}
    if region != "us-east-1":
        more["CreateBucketConfiguration"] = {"LocationConstraint": region}
    if public:
        more["ObjectOwnership"] = "BucketOwnerPreferred"
    with aws_errors("s3", f"The bucket {bucket} (storage.options.bucket)"):
        s3.create_bucket(Bucket=bucket, **more)
    if public:
        _open_bucket(s3, bucket)


def _open_bucket(s3: "S3Client", bucket: str) -> None:
    with aws_errors("s3", f"The bucket {bucket} (storage.options.bucket)"):
        s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": False,
                "IgnorePublicAcls": False,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
