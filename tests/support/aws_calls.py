"""What storages on AWS send: counted, made to fail, and held to an IAM policy."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from foodlog_plugins.aws_storage import AwsStorage

KINDS = ("throttled", "timed out", "answer lost", "answer cut", "late", "late, broken")


def clients(storage: AwsStorage) -> tuple[Any, Any]:
    return storage.clients.s3, storage.clients.dynamodb


def counted(storage: AwsStorage) -> Counter[str]:
    """How often each operation is sent from now on, tries that fail included."""
    sent: Counter[str] = Counter()

    def count(event_name: str, **_: Any) -> None:
        sent[event_name.rpartition(".")[2]] += 1

    for client in clients(storage):
        client.meta.events.register_first("before-send", count)
    return sent


class Fault:
    """Lets calls of a storage fail: by their number (from 1), or all of them.

    "answer lost": it was done; "answer cut": half of the answer's body comes, if it has one.
    "late": it is done when :meth:`land` is called; "late, broken": it is, too, and the answer is a
    500. ``calls``: how many there were since ``script`` was set
    by :meth:`start`; each try is one.
    """

    def __init__(self, storage: AwsStorage, script: Mapping[int, str] | str) -> None:
        self.start(script)
        for client in clients(storage):
            client.meta.events.register("before-send", self._send)

    def start(self, script: Mapping[int, str] | str) -> None:
        self.calls: list[str] = []
        self._script = script
        self._late: list[Any] = []

    def land(self) -> None:
        """What was given up arrives after all."""
        while self._late:
            URLLib3Session().send(self._late.pop())

    def _send(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        self.calls.append(event_name.rpartition(".")[2])
        script = self._script
        kind = script if isinstance(script, str) else script.get(len(self.calls))
        if kind is None:
            return None
        if kind == "throttled":
            return throttled(request.url, event_name)
        if kind == "unreachable":
            raise EndpointConnectionError(endpoint_url=request.url)
        if kind.startswith("answer"):
            answer = URLLib3Session().send(request)
        if kind == "answer cut" and answer.content:
            half = Raw(answer.content[: len(answer.content) // 2])
            return AWSResponse(request.url, answer.status_code, answer.headers, half)
        if kind.startswith("late"):
            self._late.append(request)
        if kind.endswith("broken"):
            return broken(request.url, event_name)
        raise ReadTimeoutError(endpoint_url=request.url)


class Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def throttled(url: str, event_name: str) -> AWSResponse:
    if ".s3." in event_name:
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>"
        return AWSResponse(url, 503, {}, Raw(body))
    body = b'{"__type": "com.amazonaws#ProvisionedThroughputExceededException"}'
    return AWSResponse(url, 400, {}, Raw(body))


def broken(url: str, event_name: str) -> AWSResponse:
    if ".s3." in event_name:
        return AWSResponse(url, 500, {}, Raw(b"<Error><Code>InternalError</Code></Error>"))
    return AWSResponse(url, 500, {}, Raw(b'{"__type": "com.amazonaws#InternalServerError"}'))


NAMED_OTHERWISE = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
"""Operations of S3 that need a permission of another name (AWS Service Authorization Reference,
"Actions, resources, and condition keys for Amazon S3")."""

Permission = tuple[str, str]
"""An action and the resource it is done to."""


class Iam:
    """Notes what permission each call needs; refuses those a policy does not give, once it has
    one. An ACL that is sent needs a permission of its own."""

    def __init__(self, storage: AwsStorage, policy: dict[str, Any] | None = None) -> None:
        self.needed: set[Permission] = set()
        self.policy = policy
        self._call = threading.local()
        for service, client in zip(("s3", "dynamodb"), clients(storage), strict=True):
            client.meta.events.register(f"provide-client-params.{service}", self._note)
            client.meta.events.register("before-send", self._send)

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        names = [NAMED_OTHERWISE.get(model.name, model.name)]
        names += ["PutObjectAcl"] if "ACL" in params and "Key" in params else []
        if model.name == "CreateBucket" and "ObjectOwnership" in params:
            names.append("PutBucketOwnershipControls")
        self._call.needs = {(f"{service}:{name}", arn(params)) for name in names}
        self.needed |= self._call.needs

    def _send(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        needs: set[Permission] = self._call.needs
        refused = needs - allowed(self.policy, needs) if self.policy else set()
        if not refused:
            return None
        (action, resource), *_rest = refused
        message = f"User: u is not authorized to perform: {action} on resource: {resource}"
        if ".s3." in event_name:
            body = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
            body = "" if request.method == "HEAD" else body
            return AWSResponse(request.url, 403, {}, Raw(body.encode()))
        body = f'{{"__type": "com.amazonaws#AccessDeniedException", "Message": "{message}"}}'
        return AWSResponse(request.url, 400, {}, Raw(body.encode()))


def arn(params: dict[str, Any]) -> str:
    if "Bucket" in params:
        return f"arn:aws:s3:::{params['Bucket']}" + (f"/{params['Key']}" if "Key" in params else "")
    table = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{params['TableName']}"
    return f"{table}/index/{params['IndexName']}" if "IndexName" in params else table


def given(policy: dict[str, Any]) -> set[Permission]:
    """Every action and resource pattern of a policy."""
    pairs = set()
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            pairs |= {(action, resource) for resource in statement["Resource"]}
    return pairs


def allowed(policy: dict[str, Any], needed: set[Permission]) -> set[Permission]:
    return {each for each in needed if any(_covers(pair, each) for pair in given(policy))}


def unused(policy: dict[str, Any], needed: set[Permission]) -> set[Permission]:
    """What a policy gives that nothing needs."""
    return {pair for pair in given(policy) if not any(_covers(pair, each) for each in needed)}


def _covers(pair: Permission, needed: Permission) -> bool:
    return pair[0] == needed[0] and fnmatchcase(needed[1], pair[1])
