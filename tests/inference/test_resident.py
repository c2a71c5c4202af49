"""Models of one comparison that do not fit on a device together."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch

from tuneproof.errors import InputError
from tuneproof.inference.resident import DeviceMemory


class Model:
    """Stands for a model."""

    device = torch.device("cpu")


def test_models_that_fit_are_loaded_once() -> None:
    memory = DeviceMemory()
    one, other = (memory.add(memory.load(Model), Model) for _ in range(2))
    other.make_room()
    assert one.is_loaded and other.is_loaded
    assert one.model is one.model


def test_models_that_do_not_fit_together_are_in_memory_in_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tuneproof.inference.resident.is_short", lambda device: True)
    memory, alive = DeviceMemory(), weakref.WeakSet[Model]()

    def load() -> Model:
        assert not alive, "another model is still in memory"
        model = Model()
        alive.add(model)
        return model

    residents = [memory.add(memory.load(load), load) for _ in range(3)]
    for resident in (*residents, *residents):
        assert isinstance(resident.model, Model)
        assert [one.is_loaded for one in residents] == [one is resident for one in residents]


def test_models_make_room_for_one_that_runs_out_of_memory() -> None:
    memory = DeviceMemory()
    first = memory.add(Model(), Model)

    def load() -> Any:
        if first.is_loaded:
            raise InputError("it does not fit") from torch.OutOfMemoryError("CUDA out of memory")
        return Model()

    assert isinstance(memory.load(load), Model)
    assert not first.is_loaded


def test_models_make_room_for_one_that_runs_out_as_it_is_made_ready() -> None:
    memory = DeviceMemory()
    first = memory.add(Model(), Model)

    def load() -> Model:
        if first.is_loaded:
            raise torch.OutOfMemoryError("CUDA out of memory")  # of a merge, which names no model
        return Model()

    assert isinstance(memory.load(load), Model)


def test_models_are_freed_with_what_answers_by_them() -> None:
    memory, alive = DeviceMemory(), weakref.WeakSet[Model]()
    model = Model()
    alive.add(model)
    resident = memory.add(model, Model)
    assert resident.is_loaded
    gc.collect()
    gc.disable()
    try:
        del model, resident
        assert not alive
    finally:
        gc.enable()


def test_model_that_does_not_fit_alone_is_refused() -> None:
    def load() -> Any:
        raise InputError("it does not fit") from torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(InputError, match="it does not fit"):
        DeviceMemory().load(load)


def test_other_errors_displace_no_model() -> None:
    memory = DeviceMemory()
    first = memory.add(Model(), Model)

    def load() -> Any:
        raise InputError("no such model folder")

    with pytest.raises(InputError, match="no such model folder"):
        memory.load(load)
    assert first.is_loaded
