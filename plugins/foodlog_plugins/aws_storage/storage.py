"""The storage itself: its options, its three stores, its check."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from marshmallow import fields, validate

from foodlog.options import Choice, Seconds, Url, Whole
from foodlog.providers import Context, Storage

if TYPE_CHECKING:
    from foodlog_plugins.aws_storage.meals import DynamoMeals
    from foodlog_plugins.aws_storage.photos import S3Photos
    from foodlog_plugins.aws_storage.plans import Plan
    from foodlog_plugins.aws_storage.users import DynamoUsers

HISTORY_INDEX = "user_id-consumed_at-index"
"""The global index of the meals' table: hash key ``user_id``, range key ``consumed_at``."""


def _name(pattern: str, what: str) -> validate.Regexp:
    return validate.Regexp(pattern, error=f"not the name of {what}")


class AwsStorage(Storage):
    """Photos in an S3 bucket, meals and users in two DynamoDB tables."""

    name = "aws_storage"
    photos: "S3Photos"
    meals: "DynamoMeals"
    users: "DynamoUsers"

    class Options(Storage.Options):
        """Credentials are no option: they come from the usual AWS chain."""

        bucket = fields.String(
            required=True,
            validate=_name(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", "a bucket"),
            metadata={"help": "The S3 bucket of the photos."},
        )
        meals_table = fields.String(
            load_default="FoodLogHistory",
            validate=_name(r"^[a-zA-Z0-9_.-]{3,255}$", "a table"),
            metadata={"help": "The DynamoDB table of the meals; its hash key is `id`."},
        )
        users_table = fields.String(
            load_default="FoodLogUsers",
            validate=_name(r"^[a-zA-Z0-9_.-]{3,255}$", "a table"),
            metadata={"help": "The DynamoDB table of the accounts; its hash key is `email`."},
        )
        region = fields.String(
            load_default="",
            validate=_name(r"^[a-z0-9-]*$", "a region"),
            metadata={"help": "The AWS region; empty: the one of the AWS profile in use."},
        )
        acl = fields.String(
            load_default="public-read",
            validate=validate.OneOf(["public-read", "private", ""]),
            metadata={
                "help": "`public-read`: anybody may fetch a photo by its URL. `private`: photos "
                "are fetched by URLs that are signed and expire. Empty: no ACL is sent and URLs "
                "are not signed; a bucket policy or a CDN decides who may fetch photos."
            },
        )
        presigned_minutes = Whole(
            1,
            7 * 24 * 60,
            load_default=60,
            metadata={
                "help": "How long a signed URL of a photo works, in minutes; a quarter of an hour "
                "more at most."
            },
        )
        server_side_encryption = Choice(
            ["AES256", "aws:kms"],
            load_default=None,
            metadata={"help": "Encryption to ask for with each photo; empty: the bucket's own."},
        )
        s3_endpoint_url = Url(
            load_default=None,
            metadata={"help": "Another S3 (MinIO, LocalStack ...) than Amazon's."},
        )
        dynamodb_endpoint_url = Url(
            load_default=None, metadata={"help": "Another DynamoDB than Amazon's."}
        )
        connect_timeout = Seconds(
            load_default=1.0, metadata={"help": "Seconds to wait for a connection."}
        )
        read_timeout = Seconds(
            load_default=2.5, metadata={"help": "Seconds to wait for the next bytes of an answer."}
        )
        attempts = Whole(
            1,
            10,
            load_default=3,
            metadata={"help": "How often a call is tried at most, the first time included."},
        )

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        super().__init__(options, context)
        from foodlog_plugins.aws_storage.clients import Clients
        from foodlog_plugins.aws_storage.meals import DynamoMeals
        from foodlog_plugins.aws_storage.photos import S3Photos
        from foodlog_plugins.aws_storage.users import DynamoUsers

        self.clients = Clients(options, context.threads)
        self.photos = S3Photos(self.clients.s3, options, context.clock, self.clients.signer)
        self.meals = DynamoMeals(
            self.clients.dynamodb, options["meals_table"], HISTORY_INDEX, self.photos.key_of
        )
        self.users = DynamoUsers(self.clients.dynamodb, options["users_table"])
        self._permissions_proved = False

    def check(self) -> None:
        """Reach the bucket and both tables; the first time, try every permission there is need of.

        Nothing is changed by it. A missing index is a warning: history works without it.
        """
        if not self._permissions_proved:
            self.photos.try_permissions()
            self.meals.try_permissions()
            self.users.try_permissions()
            self._permissions_proved = True
        self.photos.reach()
        self.meals.get("foodlog-check")
        self.users.get("foodlog-check")

    def close(self) -> None:
        """Close the connections."""
        self.clients.close()

    def plan(self) -> "Plan":
        """What is missing in the account, and how to make it; see ``provisioning.plan``."""
        from foodlog_plugins.aws_storage.provisioning import plan

        return plan(self.clients, self.options, HISTORY_INDEX)

    @property
    def purposes(self) -> tuple[str, ...]:
        """What there is a policy for; the server itself first."""
        from foodlog_plugins.aws_storage.policy import PURPOSES

        return PURPOSES

    def policy(self, purpose: str) -> dict[str, Any]:
        """The least IAM policy for one of the ``purposes``; see ``policy.policy``."""
        from foodlog_plugins.aws_storage.policy import policy

        return policy(purpose, self.options, self.clients, HISTORY_INDEX)
