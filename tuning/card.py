"""The model card of a run, of its merged model, and of what is exported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tuneproof.errors import InputError, unknown
from tuneproof.files import write_text
from tuneproof.formats.data_folder import MANIFEST, DataFolder, read_manifest
from tuneproof.formats.report import Report, read_report, report_file
from tuneproof.formats.run import Run
from tuneproof.models import fetch
from tuneproof.tuning.push_config import HUB_ID, CardFacts

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

Form = Literal["run", "adapter", "model", "gguf"]
CACHED = re.compile(r"models--(.+?)--(.+)")
"""What the Hub's cache calls the folder of a model."""
CARD = "README.md"


def write_card(
    run: Run, folder: Path | None = None, *, form: Form = "run", facts: CardFacts | None = None
) -> None:
    """Write a README.md from what run.json, the data's manifest and a report say.

    Args:
        run: The run.
        folder: Where to; by default the run's own folder.
        form: What lies beside the card: the run's folder, its adapter, a whole model, or GGUF.
        facts: What else is known.

    Raises:
        InputError: The report is not of this run.
    """
    import jinja2

    facts = facts or CardFacts()
    report = None if facts.report is None else _report_of(run, facts.report)
    text = (Path(__file__).parent / "card.md.j2").read_text(encoding="utf-8")
    template = jinja2.Template(text, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    card = template.render(
        run=run,
        header=header_of(run, form, facts, report).to_yaml(),
        base=facts.base_model or hub_id(run.base.model),
        form=form,
        rows=[] if report is None else _rows(run, report),
        confidence=None if report is None else report.settings.confidence,
        report_link=facts.report_link,
    )
    write_text((folder or run.folder) / CARD, card)


def header_of(run: Run, form: Form, facts: CardFacts, report: Report | None) -> ModelCardData:
    """Return what the Hub reads of a card."""
    from huggingface_hub import ModelCardData

    is_adapter = form in ("run", "adapter") and not run.is_whole
    library = {"gguf": "gguf"}.get(form, "peft" if is_adapter else "transformers")
    results = None if report is None else _results(run, report)
    relation = {"gguf": "quantized"}.get(form, "adapter" if is_adapter else "finetune")
    base = facts.base_model or hub_id(run.base.model)
    return ModelCardData(
        base_model=base,
        base_model_relation=relation if base else None,
        datasets=datasets_of(run) or None,
        language=list(facts.language) or None,
        library_name=library,
        license=facts.license or licence_of(run.base.model),
        model_name=run.name if results else None,
        pipeline_tag="text-classification" if run.is_classifier else "text-generation",
        tags=[run.method, "sft", "tuneproof"],
        eval_results=results or None,
    )


def hub_id(model: str) -> str | None:
    """Return a base's id on the Hub, or None where it is a file or folder that has none."""
    if model == "tiny":
        return None
    path = Path(model).expanduser()
    for part in path.parts:
        if match := CACHED.fullmatch(part):
            return f"{match[1]}/{match[2]}"
    if model in fetch.MODELS:
        base = _metadata(fetch.folder_of(model)).get("base_model")
        return base if isinstance(base, str) else None
    return model if HUB_ID.fullmatch(model) and not path.exists() else None


def licence_of(model: str) -> str | None:
    """Return the licence that a base's own card states, where it lies on this machine."""
    from tuneproof.models.load import TINY

    folder = TINY if model == "tiny" else Path(model).expanduser()
    stated = _metadata(fetch.folder_of(model) if model in fetch.MODELS else folder).get("license")
    return stated if isinstance(stated, str) else None


def _metadata(folder: Path) -> dict[str, Any]:
    """Return what the card in a folder tells the Hub; empty where there is none."""
    from huggingface_hub import metadata_load

    return (metadata_load(folder / CARD) or {}) if (folder / CARD).is_file() else {}


def datasets_of(run: Run) -> list[str]:
    """Return the data sets that a run was trained on and that the Hub has."""
    folder = Path(run.data.folder)
    if not (folder / MANIFEST).is_file():
        return []
    try:
        if DataFolder(folder).fingerprint != run.data.fingerprint:  # built anew since
            return []
        sources = read_manifest(folder).sources.values()
    except InputError:
        return []
    origins = (source.origin for source in sources if not source.files)
    names = (re.split("[:@]", origin)[0] for origin in origins)
    known = (name for name in names if "/" in name and HUB_ID.fullmatch(name))
    return list(dict.fromkeys(known))


def _report_of(run: Run, folder: Path) -> Report:
    report = read_report(report_file(folder))
    if run.name not in report.metrics:
        raise InputError(f"{folder}: {unknown('variant', run.name, report.metrics)}")
    return report


def _results(run: Run, report: Report) -> list[EvalResult]:
    """Return the run's metrics with their intervals as the Hub's evaluation results."""
    from huggingface_hub import EvalResult

    named = datasets_of(run)
    tasks = ", ".join(run.data.tasks)
    results = []
    for metric, figure in report.metrics[run.name].items():
        interval = None if figure.low is None else [figure.low, figure.high]
        results.append(
            EvalResult(
                task_type="text-classification" if run.is_classifier else "text-generation",
                dataset_type=named[0] if len(named) == 1 else tasks,
                dataset_name=tasks,
                metric_type=metric,
                metric_name=report.definitions[metric].title,
                metric_value=round(figure.value, 4),
                metric_args={
                    "confidence": report.settings.confidence,
                    "confidence_interval": interval,
                    "items": figure.n,
                },
            )
        )
    return results


def _rows(run: Run, report: Report) -> list[dict[str, Any]]:
    """Return the table of the card: each metric of the run and of the base, and the verdict."""
    rows = []
    for metric, figure in report.metrics[run.name].items():
        gain = report.gains.get(run.name, {}).get(metric)
        base = report.metrics[report.base].get(metric)
        rows.append(
            {
                "title": report.definitions[metric].title,
                "figure": figure,
                "base": base,
                "verdict": None if gain is None else gain.verdict,
            }
        )
    return rows
