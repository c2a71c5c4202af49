"""The plot of a run's loss."""

from __future__ import annotations

from pathlib import Path

from tuneproof.files import atomic_write, read_jsonl


def plot_loss(metrics: Path, out: Path) -> None:
    """Draw training and validation loss (nats per token) over the steps as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for _, row in read_jsonl(metrics)]
    training = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    validation = [(row["step"], row["eval_loss"]) for row in rows if "eval_loss" in row]
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if training:
        axes.plot(*zip(*training, strict=True), color="#4477aa", label="training", linewidth=1.2)
    if validation:
        axes.plot(*zip(*validation, strict=True), "o-", color="#cc6677", label="validation")
    axes.set(xlabel="optimizer steps", ylabel="loss (nats per trained token)", title="Loss")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if training or validation:
        axes.legend(frameon=False)
    with atomic_write(out, "wb") as handle:
        figure.savefig(handle, format="png", dpi=130)
