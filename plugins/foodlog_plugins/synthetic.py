"""The fallback ``synthetic``: a guess from the dish table when nobody else answers.

The same photo always gives the same guess. It knows nothing of what is on the photo; whoever
shows it says that it is an estimate.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import foodlog
from foodlog.dishes import Dish, mixed_plate, normalise
from foodlog.models import Estimate
from foodlog.photos import Photo
from foodlog.providers import Context, Fallback


class Synthetic(Fallback):
    """Picks a dish by the photo's digest, or describes the dish a classifier named."""

    name = "synthetic"

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        super().__init__(options, context)
        self._table = tuple(context.dishes)

    def check(self) -> None:
        """Nothing can be wrong: there is nothing to reach."""

    def predict(self, photo: Photo, label: str | None = None) -> Estimate:
        """The dish ``label`` means, or else a mixed plate of that name; without one, any dish."""
        if label and normalise(label):
            dish = self.context.dishes.match(label) or mixed_plate(label)
        else:
            dish = self._any(photo.digest)
        return Estimate(food=dish.name, ingredients=dish.ingredients, nutrients=dish.typical)

    def _any(self, digest: str) -> Dish:
        if not self._table:
            return mixed_plate("Mixed plate")
        # The highest of all hashes: a dish more or less changes no other photo's guess.
        return max(self._table, key=lambda dish: sha256(f"{digest} {dish.key}".encode()).digest())


@foodlog.hookimpl
def foodlog_fallbacks() -> list[type[Fallback]]:
    """This plugin's fallback."""
    return [Synthetic]
