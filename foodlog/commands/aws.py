"""``foodlog aws``: make what is missing in the account, say what must be allowed, clean up."""

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

from foodlog import logs
from foodlog.commands.storages import open_storage
from foodlog.errors import ConfigError
from foodlog.providers import Storage
from foodlog.services.sweep import delete_orphans, find_orphans


class Step(Protocol):
    """One thing to make."""

    @property
    def description(self) -> str:
        """What, in words."""

    @property
    def run(self) -> Callable[[Callable[[str], None]], None]:
        """Makes it; told lines are said on the way."""


class Plan(Protocol):
    """What is missing."""

    @property
    def steps(self) -> Sequence[Step]:
        """In the order they must be done."""

    @property
    def notes(self) -> Sequence[str]:
        """What the operator has to decide."""


@runtime_checkable
class Account(Protocol):
    """What a storage in AWS can do besides being one."""

    def plan(self) -> Plan:
        """What is missing in the account."""

    @property
    def purposes(self) -> Sequence[str]:
        """What a policy can be for; first what it is for where nobody says."""

    def policy(self, purpose: str) -> dict[str, Any]:
        """The least IAM policy for one of the :attr:`purposes`."""


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "aws",
        help="make bucket, tables and index; print the IAM policy; delete orphaned photos",
        description="init: make what is missing. policy: print the least IAM policy. sweep: find "
        "photos of meals that are in no row and older than an hour. init and sweep only say what "
        "they would do, unless --yes is given.",
    )
    parser.add_argument("action", choices=["init", "policy", "sweep"])
    parser.add_argument("--yes", action="store_true", help="do it")
    parser.add_argument(
        "--for",
        dest="purpose",
        help="what the policy has to allow (default: the server); another word prints them all",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the action; 0 unless it raises."""
    logs.configure("WARNING", "text")
    with open_storage(arguments.config) as storage:
        if arguments.action == "sweep":
            _sweep(storage, arguments.yes)
        elif not isinstance(storage, Account):
            raise ConfigError(
                f"storage.use is {storage.name!r}, and `foodlog aws {arguments.action}` works on "
                "aws_storage. Name a file that uses it with --config, or set STORAGE_BACKEND=aws."
            )
        elif arguments.action == "policy":
            print(json.dumps(_policy(storage, arguments.purpose), indent=2))
        else:
            _init(storage.plan(), arguments.yes)
    return 0


def _policy(account: Account, purpose: str | None) -> dict[str, Any]:
    purposes = account.purposes
    if purpose is not None and purpose not in purposes:
        raise ConfigError(f"--for: {purpose!r} is none of {', '.join(purposes)}.")
    return account.policy(purpose or purposes[0])


def _init(plan: Plan, yes: bool) -> None:
    for note in plan.notes:
        print(f"Note: {note}")
    for step in plan.steps:
        print(f"{'Doing' if yes else 'To do'}: {step.description}", flush=True)
        if yes:
            step.run(lambda line: print(f"  {line}", flush=True))
    _close(len(plan.steps), yes)


def _sweep(storage: Storage, yes: bool) -> None:
    orphans = find_orphans(storage, datetime.now(UTC))
    for photo in delete_orphans(storage, orphans) if yes else orphans:
        when = photo.modified_at.isoformat(timespec="seconds")
        print(f"{'Deleted' if yes else 'To delete'}: {photo.key}  {photo.size} bytes  {when}")
    _close(len(orphans), yes)


def _close(number: int, yes: bool) -> None:
    if not number:
        print("Nothing to do.")
    elif not yes:
        print("Nothing was changed. Run it again with --yes to do it.")
