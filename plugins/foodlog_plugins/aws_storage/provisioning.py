"""What the account lacks, and how to make it: bucket, tables, the index of the history.

Planning changes nothing. Every step may be repeated, and stopped at any time. Rows that lack the
time the index sorts by are completed before the index is made, so an index that this made holds
every row of every user. Accounts are put under their e-mail in lower case, as they are looked up.
"""

import time
from collections.abc import Mapping
from typing import Any

from foodlog_plugins.aws_storage.bucket import plan_bucket
from foodlog_plugins.aws_storage.clients import Clients
from foodlog_plugins.aws_storage.plans import Pause, Plan
from foodlog_plugins.aws_storage.table import Table
from foodlog_plugins.aws_storage.tables import MealsTable, UsersTable


def plan(
    clients: Clients, options: Mapping[str, Any], index: str, pause: Pause = time.sleep
) -> Plan:
    """What is missing. Raises ProviderError where what is there cannot be used.

    ``pause``: called with the seconds to wait before asking again how far AWS is.
    """
    made = Plan()
    plan_bucket(made, clients.s3, clients.region, options)
    dynamodb = clients.dynamodb
    meals = Table(dynamodb, options["meals_table"], "id", "storage.options.meals_table")
    users = Table(dynamodb, options["users_table"], "email", "storage.options.users_table")
    MealsTable(meals, pause, index).add_to(made)
    UsersTable(users, pause).add_to(made)
    return made
