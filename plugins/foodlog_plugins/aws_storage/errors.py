"""What the SDK raises, said as FoodLog's own errors: in sentences that name the way out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import orjson
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
    TokenRetrievalError,
)

from foodlog.errors import FoodLogError, ProviderError, ProviderTimeout, TooLarge, Unprocessable

THROTTLED = {
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
FORBIDDEN = {"AccessDenied", "AccessDeniedException", "403", "AllAccessDisabled"}
MISSING = {"NoSuchBucket", "ResourceNotFoundException", "404"}
ELSEWHERE = {
    "301",
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraint",
}
BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
PERMISSIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:PutObject": "s3:PutObject (and s3:PutObjectAcl where an ACL is sent)",
}
"""The IAM action of an operation, where it is called something else."""
NO_CREDENTIALS = (
    "There are no usable AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
    "AWS_PROFILE, or give the machine a role."
)
BROKEN_OFF = (ConnectionClosedError, IncompleteReadError, ResponseStreamingError)
DOUBT = "MayStillBeDone"
RETRY_AFTER = 1.0
"""Seconds; the SDK has already waited and tried again before anything gets here."""


class Unsettled(ProviderTimeout):
    """The service refused or could not be reached, but a try may still be done.

    To whoever must know what is stored it is a time-out; it is answered as a refusal.
    """

    status = ProviderError.status
    code = ProviderError.code
    title = ProviderError.title


@contextmanager
def aws_errors(service: str, resource: str) -> Iterator[None]:
    """Raise FoodLog's errors for the SDK's.

    ``service``: its prefix in IAM ("s3", "dynamodb"); ``resource``: what is being used, with the
    setting that names it.
    """
    try:
        yield
    except ClientError as error:
        raise refusal(error, service, resource) from error
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise ProviderTimeout(f"{resource} did not answer in time.") from error
    except BROKEN_OFF as error:  # as after a time-out, it may still be done
        raise ProviderTimeout(f"{resource} broke the connection off before it answered.") from error
    except (
        NoCredentialsError,
        PartialCredentialsError,
        CredentialRetrievalError,
        TokenRetrievalError,
    ) as error:
        raise Unsettled(NO_CREDENTIALS, permanent=True) from error
    except BotoCoreError as error:  # the SDK does not say how often it has tried
        raise Unsettled(
            f"{resource} cannot be reached ({type(error).__name__}). Check the network, "
            "storage.options.region and the endpoint URLs.",
            retry_after=RETRY_AFTER,
        ) from error


def refusal(error: ClientError, service: str, resource: str) -> FoodLogError:
    """The error for what the service answered."""
    code, message = code_of(error), message_of(error)
    kind = Unsettled if _may_still_be_done(error) else ProviderError
    if code in THROTTLED:
        return kind(f"{resource} is throttled ({code}).", retry_after=RETRY_AFTER)
    if code == "ValidationException" and "size" in message:
        return TooLarge("The meal is larger than the 400 KB that can be stored of one.")
    if code == "ValidationException" and "esting" in message:
        return Unprocessable("The meal's data are nested too deeply to be stored.")
    if sentence := _way_out(code, f"{service}:{error.operation_name}", resource):
        return kind(sentence, permanent=True)
    return kind(
        f"{resource} answered {code} to {error.operation_name}: {message[:200]}",
        retry_after=RETRY_AFTER,
    )


def note_doubt(response: Any, request_dict: Any, **_: Any) -> None:
    """Note in the answer whether this try or an earlier one may be done without saying so.

    A handler of the SDK's event ``needs-retry``, which follows each try of a call; ``response``:
    the HTTP answer and what was read of it, or None.
    """
    context = request_dict["context"]
    unknown = response is None or response[0].status_code >= 500
    context[DOUBT] = unknown or context.get(DOUBT, False)
    if response is not None:
        response[1].setdefault("ResponseMetadata", {})[DOUBT] = context[DOUBT]


def require_whole(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Take a success whose body is no JSON object for a connection that broke off.

    A handler of the SDK's event ``before-parse`` of DynamoDB. The SDK takes what it cannot read for
    an object without members: to FoodLog a row that is not there, or one that is stored.
    """
    if response_dict["status_code"] < 300 and not _is_object(response_dict["body"]):
        raise ConnectionClosedError(endpoint_url="DynamoDB")


def _is_object(body: bytes) -> bool:
    with suppress(orjson.JSONDecodeError):
        return isinstance(orjson.loads(body), dict)
    return False


def _may_still_be_done(error: ClientError) -> bool:
    metadata: Any = error.response.get("ResponseMetadata", {})
    return bool(metadata.get(DOUBT))


def code_of(error: ClientError) -> str:
    """The service's word for what went wrong."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def message_of(error: ClientError) -> str:
    """The service's sentence; for finding out what it means, not for showing."""
    return str(error.response.get("Error", {}).get("Message", ""))


def _way_out(code: str, operation: str, resource: str) -> str | None:
    if code == "AccessControlListNotSupported":
        return (
            f"{resource} has ACLs disabled, and storage.options.acl (AWS_S3_ACL) asks for one. "
            "Set it to private, for signed URLs, or leave it empty to send no ACL."
        )
    if code in FORBIDDEN:
        permission = PERMISSIONS.get(operation, operation)
        return (
            f"{resource}: access denied. The permission {permission} is missing; "
            "`foodlog aws policy` prints all that are needed."
        )
    if code in MISSING:
        return f"{resource} does not exist. `foodlog aws init` makes it."
    if code in ELSEWHERE:
        return f"{resource} is in another region. Set storage.options.region (AWS_REGION) to it."
    if code in BAD_CREDENTIALS:
        return f"{resource}: AWS refuses the credentials ({code}). {NO_CREDENTIALS}"
    return None
