"""Panels: what answers together. Variants over one model, a classification head, or baselines."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from tuneproof import ranks
from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.inference.baselines import BASELINES, predict
from tuneproof.inference.classifier import BATCH_SIZE, LoadedHead, load_head
from tuneproof.inference.config import CompareConfig
from tuneproof.inference.generate import answer_batch, stop_ids
from tuneproof.inference.label_scores import LabelScorer, Reading, labelled, longest_label
from tuneproof.inference.panel import Asked, Panel, Rows, Speed
from tuneproof.inference.remote import messages_for, of_endpoint
from tuneproof.inference.resident import DeviceMemory
from tuneproof.inference.row_limit import answers_at_once
from tuneproof.inference.served import note_served, note_server
from tuneproof.inference.shots import Shots, choose_nearest, choose_random
from tuneproof.inference.sources import Lineup, data_of, lineup, run_of, served_of
from tuneproof.inference.task import LabelTask, train_examples, train_file
from tuneproof.inference.variants import Variants, load_variants

SPARE_TOKENS = 8
"""Tokens that a free answer may run past the longest label, so that running on is seen."""
FEW = 4
"""Examples that stand before each question of `base-few-shot`, where nothing else is asked for."""
NEAREST = "nearest"
"""The baseline that gives the answer of the nearest training example."""


def load_panels(
    prompts: Path, items: Sequence[Example], config: CompareConfig, task: LabelTask | None
) -> tuple[list[Panel], dict[str, Any]]:
    """Load everything that is to answer, and say under which conditions.

    Args:
        prompts: The file of prompts.
        items: What it asks.
        config: What is compared, and how.
        task: The labelled task that is asked for, if any.

    Returns:
        The panels, and `decoding` and `template` as the comparison file records them.

    Raises:
        InputError: A run cannot be used, alone or beside the others.
    """
    named = lineup(config, config.merged)
    _check_heads(named, config, task)
    _check_engine(config, task)
    panels: list[Panel] = []
    conditions: dict[str, Any] = {"decoding": None, "template": None}
    file = train_file(prompts, data_of(config))
    train = train_examples(file, prompts, task)
    memory = DeviceMemory()
    if named.base is not None:
        loaded = load_variants(
            named.subjects,
            base=named.base,
            template=named.template,
            dtype=config.dtype,
            device=config.device,
            memory=memory,
            merged=named.merged,
            has_four_bit_base=config.quantized is not None,
            shots=_shots(file, train, items, config, task),
            system=config.system_text,
            labels=task.labels if task else (),
            engine=config.engine,
            served=served_of(config),
        )
        if task is not None:  # more tokens would only make more of a wrong answer
            most = max(longest_label(one, task.labels) for one in loaded) + SPARE_TOKENS
            config = replace(config, max_new_tokens=min(config.max_new_tokens, most))
        panels += [of_models(variants, items, config, task) for variants in loaded]
        note_served(loaded, panels, served_of(config))
        if task is not None:
            conditions["calibrate"] = config.calibrate
    panels += _servers(named, config, task, items, panels)
    if panels:
        templates = {row.get("template") for panel in panels for row in panel.variants}
        template = templates.pop() if len(templates) == 1 else None
        conditions |= {"decoding": config.recorded(), "template": template}
    if task is not None:
        load = partial(load_head, dtype=config.dtype, device=config.device, memory=memory)
        panels += [of_head(load(run, task.labels)) for run in named.heads]
    if train and not config.no_baselines:
        panels.append(of_baselines(train, items, task))
    _check_names([name for panel in panels for name in panel.names])
    return panels, conditions


def _servers(
    named: Lineup,
    config: CompareConfig,
    task: LabelTask | None,
    items: Sequence[Example],
    models: Sequence[Panel],
) -> list[Panel]:
    """Return the servers, each compared with the run that its name begins with."""
    panels = []
    labels = task.labels if task else ()
    for one in named.endpoints:
        panel = of_endpoint(one, config, task)
        run = run_of(one.name, config.run, is_sure=True)
        if run is not None:
            questions = {item.id: messages_for(item, labels) for item in items}
            note_server(one, panel.variants[0], run, models, questions)
        panels.append(panel)
    return panels


def _check_heads(named: Lineup, config: CompareConfig, task: LabelTask | None) -> None:
    """Raise InputError where heads cannot answer what is asked, or nothing can be told more."""
    if named.heads and task is None:
        raise InputError(
            f"run {named.heads[0].name!r} trained a classification head; it can only label the "
            "test file of a data folder with one classification task"
        )
    if config.calibrate != "none" and (task is None or named.base is None):
        raise InputError("--calibrate is for a base that is asked for labels")
    if named.base is not None:
        return
    for option in ("few_shot", "system", "quantized"):
        if getattr(config, option):
            raise InputError(
                f"--{option.replace('_', '-')} is for a base that writes its answers, and there is "
                "none here; leave it out, or give --model or a run that writes as well"
            )


def _check_engine(config: CompareConfig, task: LabelTask | None) -> None:
    """Raise InputError where vLLM has no part in what is asked."""
    if config.engine == "builtin":
        return
    if task is not None:
        raise InputError(
            "--engine vllm writes answers, and the labels of these prompts are scored by the "
            "built-in loop; leave --engine out"
        )
    if ranks.world_size() > 1:
        raise InputError("--engine vllm is one process, which uses the GPU by itself")


def _check_names(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"{name!r} is the name of two variants; rename the run's folder, give an adapter, "
                "a model or a server another name with NAME=..., or --no-baselines where it is a "
                "baseline's"
            )


def _shots(
    file: Path,
    train: Sequence[Example],
    items: Sequence[Example],
    config: CompareConfig,
    task: LabelTask | None,
) -> Shots | None:
    """Return the examples for `base-few-shot`, or None where there are to be none."""
    k = config.few_shot
    if k is None:
        k = FEW if train else 0
    elif k and not train:
        raise InputError(
            f"--few-shot {k} takes its examples from {file}, and there are none; give the test "
            "file of a data folder as the prompts, or --few-shot 0"
        )
    if k == 0:
        return None
    by, has_labels = config.few_shot_by, task is not None
    if by == "random":
        chosen = choose_random(train, items, k, seed=config.seed, labels=has_labels)
    else:
        chosen = choose_nearest(train, items, k, labels=has_labels)
    seed = config.seed if by == "random" else None
    return Shots(k=k, by=by, seed=seed, file=str(file), chosen=chosen)


def of_models(
    variants: Variants, items: Sequence[Example], config: CompareConfig, task: LabelTask | None
) -> Panel:
    """Return a base and its adapters; where there are labels, these are scored as well."""
    scorer = LabelScorer(variants, task.labels, config.calibrate) if task else None
    reserve = longest_label(variants, task.labels) if task else 0
    asked = _asked(variants, items, config.max_new_tokens, reserve)
    speed, stops = Speed(), stop_ids(variants)
    longest = max((len(ids) for row in asked.ids.values() for ids in row.values()), default=1)
    most_tokens = longest + config.max_new_tokens
    if variants.engine is not None:
        variants.engine.make_room(most_tokens)

    def prompts_at_once() -> int | None:
        if variants.engine is not None:
            return variants.engine.prompts_at_once
        variants.resident.make_room()
        if config.do_sample:  # what is drawn must not depend on the memory that is free
            return None
        return answers_at_once(variants.model, most_tokens)

    def answer(batch: Sequence[Example], seed: int) -> list[Rows]:
        ids, before = [asked.ids[item.id] for item in batch], dict(speed.watch.seconds)
        read = scorer.read(batch, ids, stops) if scorer else []
        known = _known(read, config, speed)
        answers = answer_batch(variants, ids, config, seed, speed.watch, known)
        rows: list[Rows] = []
        for item, by_variant in zip(batch, answers, strict=True):
            speed.tokens.update({name: answer.tokens for name, answer in by_variant.items()})
            row = {name: answer.as_row() for name, answer in by_variant.items()}
            for name, shots in asked.shots.get(item.id, {}).items():
                row[name]["shots"] = list(shots)
            for name, answered in row.items():  # of the batch, in equal parts
                took = speed.watch.seconds[name] - before.get(name, 0.0)
                answered["seconds"] = took / len(batch)
            rows.append(row)
        for item, row, readings in zip(batch, rows, read, strict=bool(read)):
            for name, reading in readings.items():
                row[name] |= labelled(reading.probabilities, item.text)
        return rows

    return Panel(
        variants=variants.described,
        answer=answer,
        asked=asked,
        speed=speed,
        prompts_at_once=prompts_at_once,
    )


def _known(
    read: Sequence[Mapping[str, Reading]], config: CompareConfig, speed: Speed
) -> list[dict[str, list[int] | None]]:
    """Return the greedy answers that reading the labels has shown, and count the time of these."""
    known: list[dict[str, list[int] | None]] = []
    for row in read:
        known.append({})
        for name, reading in row.items():
            written = None if config.do_sample else reading.written
            known[-1][name] = written and written[: config.max_new_tokens]
            if written:
                speed.watch.seconds[name] += reading.seconds
    return known


def _asked(
    variants: Variants, items: Sequence[Example], max_new_tokens: int, reserve: int
) -> Asked:
    """Return every item as every variant is asked it."""
    ids: dict[str, dict[str, Sequence[int]]] = {}
    shots: dict[str, dict[str, Sequence[str]]] = {}
    too_long: dict[str, tuple[str, ...]] = {}
    shortened = set()
    for item in items:
        encoded = {
            name: variants.ask(name, item, max_new_tokens, reserve=reserve)
            for name in variants.names
        }
        fitting = {name: one for name, one in encoded.items() if one is not None}
        if len(fitting) < len(encoded):
            too_long[item.id] = tuple(name for name in encoded if name not in fitting)
            continue
        ids[item.id] = {name: array("i", one.prompt_ids) for name, one in fitting.items()}
        if any(variants.forms[name].is_cut(item, one) for name, one in fitting.items()):
            shortened.add(item.id)
        before = {name: variants.forms[name].shown(item, one) for name, one in fitting.items()}
        shots[item.id] = {name: shown for name, shown in before.items() if shown is not None}
    return Asked(ids=ids, shots=shots, too_long=too_long, shortened=frozenset(shortened))


def of_head(head: LoadedHead) -> Panel:
    """Return a classification head."""
    name = head.described["name"]
    return Panel(
        variants=[head.described],
        answer=lambda batch, seed: [{name: answer} for answer in head.answer(batch)],
        prompts_at_once=lambda: head.batch_size if head.batch_size > BATCH_SIZE else None,
    )


def of_baselines(
    train: Sequence[Example], items: Sequence[Example], task: LabelTask | None
) -> Panel:
    """Return what answers without a language model.

    Args:
        train: The training examples.
        items: What is asked.
        task: Where there are labels, the classical methods learn to give them.
    """

    @cache
    def predictions() -> dict[str, Rows]:  # for all prompts at once, when the first is asked for
        rows = _nearest(train, items, task)
        if task is None:
            return rows
        texts, outputs = [one.text for one in train], [one.output for one in train]
        asked = [item.text for item in items]
        for baseline in BASELINES:
            predicted = predict(baseline, texts, outputs, asked, task.labels)
            for item, probabilities in zip(items, predicted, strict=True):
                rows[item.id][baseline] = {"text": None, **labelled(probabilities, item.text)}
        return rows

    names = [*(BASELINES if task else ()), NEAREST]
    return Panel(
        variants=[
            {
                "name": name,
                "kind": "baseline",
                "model": name,
                "adapter": None,
                "trained_on": len(train),
            }
            for name in names
        ],
        answer=lambda batch, seed: [
            {name: predictions()[item.id][name] for name in names} for item in batch
        ],
    )


def _nearest(
    train: Sequence[Example], items: Sequence[Example], task: LabelTask | None
) -> dict[str, Rows]:
    """Return the answer of each item's nearest training example.

    An item that has none, since all there are ask the same, gets an empty answer; with labels, one
    by chance.
    """
    rows: dict[str, Rows] = {}
    chosen = choose_nearest(train, items, 1)
    for item in items:
        output = next((one.output for one in chosen[item.id]), None)
        if task is None:
            rows[item.id] = {NEAREST: {"text": output or ""}}
            continue
        chances = {label: float(label == output) for label in task.labels}
        if output is None:
            chances = dict.fromkeys(task.labels, 1 / len(task.labels))
        rows[item.id] = {NEAREST: {"text": None, **labelled(chances, item.text)}}
    return rows
