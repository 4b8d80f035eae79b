"""The least an IAM user or role must be allowed, for one configuration and one purpose."""

from collections.abc import Mapping
from typing import Any

from foodlog_plugins.aws_storage.clients import Clients

SERVE = "serve"
PURPOSES = (SERVE, "sweep", "migrate", "init")
"""The server itself; the commands that read everything; the command that makes what is missing."""
GET_AND_PUT = ("dynamodb:GetItem", "dynamodb:PutItem")


def policy(
    purpose: str, options: Mapping[str, Any], clients: Clients, index: str
) -> dict[str, Any]:
    """An IAM policy document. ``purpose``: one of :data:`PURPOSES`."""
    bucket = f"arn:{clients.partition}:s3:::{options['bucket']}"
    tables = f"arn:{clients.partition}:dynamodb:{clients.region}:*:table/"
    meals, users = tables + options["meals_table"], tables + options["users_table"]
    put = ["s3:PutObject", *(["s3:PutObjectAcl"] if options["acl"] == "public-read" else [])]
    list_bucket = _allow("Bucket", ["s3:ListBucket"], bucket)
    statements = {
        SERVE: [
            list_bucket,
            _allow("Photos", ["s3:GetObject", *put, "s3:DeleteObject"], f"{bucket}/*"),
            _allow("Rows", [*GET_AND_PUT, "dynamodb:DeleteItem"], meals, users),
            _allow("History", ["dynamodb:Query"], f"{meals}/index/{index}"),
        ],
        "sweep": [
            list_bucket,
            _allow("Photos", ["s3:DeleteObject"], f"{bucket}/*"),
            _allow("Meals", ["dynamodb:Scan"], meals),
        ],
        "migrate": [
            list_bucket,
            _allow("Photos", ["s3:GetObject", *put], f"{bucket}/*"),
            _allow("Rows", [*GET_AND_PUT, "dynamodb:Scan"], meals, users),
        ],
        "init": _to_make(options, bucket, meals, users),
    }
    return {"Version": "2012-10-17", "Statement": statements[purpose]}


def _to_make(
    options: Mapping[str, Any], bucket: str, meals: str, users: str
) -> list[dict[str, Any]]:
    make_bucket = ["s3:ListBucket", "s3:CreateBucket"]
    if options["acl"] == "public-read":
        make_bucket += [
            "s3:GetBucketOwnershipControls",
            "s3:PutBucketOwnershipControls",
            "s3:GetBucketPublicAccessBlock",
            "s3:PutBucketPublicAccessBlock",
        ]
    make_table = ["dynamodb:DescribeTable", "dynamodb:CreateTable"]
    add_index = ["dynamodb:UpdateTable", "dynamodb:Scan", "dynamodb:UpdateItem"]
    return [
        _allow("MakeBucket", make_bucket, bucket),
        _allow("MakeTables", make_table, meals, users),
        _allow("AddIndex", add_index, meals),
        _allow("LowerEmails", [*GET_AND_PUT, "dynamodb:DeleteItem", "dynamodb:Scan"], users),
    ]


def _allow(sid: str, actions: list[str], *resources: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": list(resources)}
