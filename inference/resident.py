"""Models of one comparison in a device's memory: together where they fit, else in turns.

A model that was given up for another one is loaded again from its files when it is next asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakSet

from tuneproof.errors import InputError, is_out_of_memory
from tuneproof.models.device import is_short, release

log = logging.getLogger(__name__)
T = TypeVar("T")


class DeviceMemory:
    """The models that are in memory at a time."""

    def __init__(self) -> None:
        """Begin without any."""
        self._residents: WeakSet[Resident] = WeakSet()  # theirs is who answers by them
        self._is_noted = False

    def add(self, model: Any, load: Callable[[], Any]) -> Resident:
        """Return a model that has just been loaded, as one that others may displace.

        Args:
            model: As it was loaded.
            load: Loads the same once more.
        """
        resident = Resident(model, load, self)
        self._residents.add(resident)
        return resident

    def load(self, load: Callable[[], T]) -> T:
        """Return what a function loads, giving up other models where they leave no room for it."""
        self.make_room()
        try:
            return load()
        except (InputError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or not self._release():
                raise
        return load()

    def make_room(self, keep: Resident | None = None) -> None:
        """Give up all models but one, where they leave too little memory on its device free."""
        others = [one for one in self._residents if one is not keep and one.is_loaded]
        if others and is_short(others[0].device):
            self._release(keep)

    def _release(self, keep: Resident | None = None) -> bool:
        """Give up all models but one; return whether there were any."""
        others = [one for one in self._residents if one is not keep and one.is_loaded]
        if others and not self._is_noted:
            self._is_noted = True
            log.info("the models do not fit on the device together; each is loaded in its turn")
        for one in others:
            one.give_up()
        return bool(others)


class Resident:
    """One model, in memory or not."""

    def __init__(self, model: Any, load: Callable[[], Any], memory: DeviceMemory) -> None:
        """Take the loaded model, what loads it again, and where the others are."""
        self._model, self._load, self._memory = model, load, memory
        self.device: str = str(model.device)
        """Where it is, or is going to be."""

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory now."""
        return self._model is not None

    @property
    def model(self) -> Any:
        """The model; it is loaded where it had been given up."""
        if self._model is None:
            self._model = self._memory.load(self._load)
        return self._model

    def make_room(self) -> None:
        """Give up the other models where they leave too little memory for answers."""
        self._memory.make_room(keep=self)

    def give_up(self) -> None:
        """Free its memory."""
        self._model = None
        release(self.device)
