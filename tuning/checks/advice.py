"""What can be found in runs. To add a code: write a check, add an entry."""

from __future__ import annotations

from tuneproof.finding import Advice
from tuneproof.prepdata.checks.advice import DATA

RUN: dict[str, Advice] = {
    "run-unfinished": Advice(
        severity="warning",
        usually="the training was interrupted or failed; what is saved is not the best of it.",
        mend="`tune run` with the same settings, which goes on from the last checkpoint",
    ),
    "loss-diverged": Advice(
        severity="error",
        usually="the learning rate is too high.",
        mend="`tune run --learning-rate {rate:g} --overwrite ...` with the run's other settings",
    ),
    "loss-flat": Advice(
        severity="warning",
        usually="the learning rate is too low or too high, the training too short, or nothing "
        "trainable is reached.",
        mend="`tune run --learning-rate {rate:g} --overwrite ...` with the run's other settings",
    ),
    "overfitting": Advice(
        severity="warning",
        usually="the model learns the training records by heart; the best checkpoint was kept, the "
        "rest of the training was for nothing.",
        mend="`tune run --num-train-epochs {epochs:g} --overwrite ...`, or more data",
    ),
    "no-validation": DATA["no-validation"],
    "data-changed": Advice(
        severity="warning",
        usually="the data folder was built anew since; records of its test file may have been "
        "trained on.",
        mend="`tune run --overwrite` with the same settings, on the data as it is now",
    ),
    "base-changed": Advice(
        severity="error",
        usually="the base model was replaced or is another one; an adapter means nothing on other "
        "weights.",
        mend="put the base's files back, or `tune run --overwrite` on the new one",
    ),
    "base-missing": Advice(
        severity="warning",
        usually="the base was moved, or is on the Hub and not on this disk.",
        mend="put the model back where run.json says",
    ),
    "adapter-wrong-base": Advice(
        severity="error",
        usually="an adapter of another run or another base was copied into the folder.",
        mend="`tune run --overwrite` with the same settings",
    ),
    "weights-changed": Advice(
        severity="error",
        usually="the file was cut off or damaged when it was copied, or replaced by another run's.",
        mend="put back the file that the training left, or `tune run --overwrite` with the same "
        "settings",
    ),
    "adapter-zero": Advice(
        severity="error",
        usually="nothing was trained: a learning rate of nothing, frozen adapters, or weights that "
        "were not saved.",
        mend="`tune run --overwrite` with the run's settings, and watch that the loss falls",
    ),
    "adapter-no-effect": Advice(
        severity="error",
        usually="the adapter is not applied, or it is zero; every answer is the base's.",
        mend="`tune run --overwrite` with the run's settings, and watch that the loss falls",
    ),
    "part-not-moved": Advice(
        severity="warning",
        usually="a layer is not used, or the graph is cut before it.",
        mend="`tune run --target-modules ... --overwrite` with the layers that are used",
    ),
    "head-untrained": Advice(
        severity="error",
        usually="the head was left out of what is trained or saved (modules_to_save), so that it "
        "is random at every loading.",
        mend="`tune run --objective classify --overwrite` with the run's settings",
    ),
    "head-quantised": Advice(
        severity="error",
        usually="the head was quantised together with the base; it cannot be trained then.",
        mend="`tune run --objective classify --overwrite`, which keeps the head in float32",
    ),
    "eos-not-trained": Advice(
        severity="error",
        usually="the end mark is missing, or was masked with the padding since both are one token; "
        "the model never learns to stop.",
        mend="`tune run --overwrite`: it trains EOS in every answer and masks by position",
    ),
    "answer-not-trained": Advice(
        severity="error",
        usually="part of the answer is masked or cut off by truncation at the end.",
        mend="`tune run --max-length {tokens} --overwrite`",
    ),
    "loss-on-prompt": Advice(
        severity="error",
        usually="the prompt is not masked; the model learns to write questions, and the loss tells "
        "little about answers.",
        mend="`tune run --overwrite`: its loss covers the answer only",
    ),
    "run-template-differs": Advice(
        severity="error",
        usually="the model was asked in another form than it was trained on.",
        mend="`infer compare PROMPTS --run {run}`, which takes the template from the run",
    ),
    "template-not-the-models": Advice(
        severity="warning",
        usually="an instruct model is trained and asked in a form that it has never seen: the "
        "training spends its steps on the form, and a base asked in it looks worse than it is.",
        mend="`tune run --model {model} --template auto --overwrite`, and compare again",
    ),
    "export-template-differs": Advice(
        severity="error",
        usually="servers and chat pipelines ask in the template that lies beside the weights, "
        "and the adapter was not trained in it.",
        mend="`tune run --overwrite`, which saves the template of the training",
    ),
    "double-bos": Advice(
        severity="error",
        usually="the template writes a BOS, and then another one: a prompt that no model was "
        "trained on.",
        mend="take one out of the template, and `tune run --overwrite`",
    ),
    "template-limits": Advice(
        severity="note",
        usually="the template does less than a conversation may hold.",
        mend="where it matters, another --template",
    ),
    "base-unfair": Advice(
        severity="error",
        usually="the base was asked in a form that it was not made for, so that any tuning looks "
        "like progress.",
        mend="`infer compare` again: it asks the base in its own chat template",
    ),
    "comparison-of-other-base": Advice(
        severity="error",
        usually="the comparison was made with another base model than the run was trained on.",
        mend="`infer compare PROMPTS --run {run}`",
    ),
    "batch-differs": Advice(
        severity="error",
        usually="padding on the wrong side, or positions that count the padding: in a batch a "
        "decoder must be padded on the left.",
        mend="`infer compare PROMPTS --run {run}`, which pads on the left",
    ),
}
"""Codes over a run's folder, and over a comparison beside it."""
