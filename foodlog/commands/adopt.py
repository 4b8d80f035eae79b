"""``foodlog adopt``: give the meals that belong to nobody to a user."""

import argparse
from collections import Counter
from typing import Any

from foodlog import logs
from foodlog.commands.storages import open_storage
from foodlog.config import load_config
from foodlog.errors import ConfigError
from foodlog.providers import Storage
from foodlog.services.accounts import LOCAL_USER_ID, normal_email
from foodlog.services.adoption import adopt, find_ownerless


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "adopt",
        help="give the meals that belong to nobody to a user",
        description="Gives every meal without an owner (the Flask service logged them for "
        "requests without a token) to the user of auth.mode single_user, or to an account. Only "
        "says how many there are, unless --yes is given. It may be stopped and run again at any "
        "time.",
    )
    parser.add_argument("--email", help="the account that gets them")
    parser.add_argument("--yes", action="store_true", help="do it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Count or give; 1 where a meal was changed meanwhile and is still nobody's."""
    logs.configure("WARNING", "text")
    single = load_config(arguments.config).auth.mode == "single_user"
    with open_storage(arguments.config) as storage:
        user_id, name = _owner(storage, arguments.email, single)
        if arguments.yes:
            return _give(storage, user_id, name)
        number = sum(1 for _ in find_ownerless(storage.meals))
    if number:
        print(f"To do: give {number} meals to {name}.")
        print("Nothing was changed. Run it again with --yes to do it.")
    else:
        print("Nothing to do.")
    return 0


def _give(storage: Storage, user_id: str, name: str) -> int:
    given = Counter(adopt(storage.meals, user_id))
    print(f"Gave {given[True]} meals to {name}." if given else "Nothing to do.")
    if given[False]:
        print(f"{given[False]} meals were changed meanwhile. Run it again.")
    return 1 if given[False] else 0


def _owner(storage: Storage, email: str | None, single: bool) -> tuple[str, str]:
    """The id of who gets the meals, and what to call them."""
    if email is None:
        if not single:
            raise ConfigError(
                "auth.mode is 'jwt', where a meal is seen by its account alone. Name the account "
                "with --email, or set auth.mode: single_user."
            )
        return LOCAL_USER_ID, "the local user"
    user = storage.users.get(normal_email(email))
    if user is None:
        raise ConfigError(f"--email: there is no account {email!r}. Sign up with it first.")
    return user.id, user.email
