"""What can be found in data and runs. To add a code: write a check, add an entry."""

from __future__ import annotations

from tuneproof.finding import Advice

DATA: dict[str, Advice] = {
    "leak-exact": Advice(
        severity="error",
        usually="the same question was taken into both files, so that its answer can be known by "
        "heart and the score is too good.",
        mend="`prepdata build`, which keeps such records out of train; or remove them from {file}",
    ),
    "leak-near": Advice(
        severity="warning",
        usually="questions of nearly the same words stand in both files; the score is too good.",
        mend="`prepdata build`, which keeps near-duplicates out of train",
    ),
    "near-sampled": Advice(
        severity="note",
        usually="`prepdata build` did not write these files, and they are too many to compare all "
        "in the time of a look; a rare near-duplicate may be missed.",
        mend="`prepdata build`, which compares all and keeps near-duplicates out of train",
    ),
    "leak-group": Advice(
        severity="error",
        usually="questions on one page or dialogue were cut apart by a random split.",
        mend="`prepdata build`, which never splits a group",
    ),
    "prompts-in-train": Advice(
        severity="error",
        usually="the model was trained on what it is asked, so that the comparison shows memory.",
        mend="`prepdata build`, which keeps prompts/test.json out; other prompts: remove them from "
        "{file}",
    ),
    "label-unknown": Advice(
        severity="error",
        usually="a label is misspelt, or the manifest belongs to other data.",
        mend="correct the label in {file}, or `prepdata build` anew",
    ),
    "label-unseen": Advice(
        severity="warning",
        usually="the test asks for a label that nothing teaches.",
        mend="`prepdata build --balanced` with more records, or leave the label out of the test",
    ),
    "labels-alike": Advice(
        severity="warning",
        usually="one label written in two ways; the rarer is learned as a class of its own.",
        mend="write it alike in {file}, then `prepdata build` anew",
    ),
    "labels-swapped": Advice(
        severity="error",
        usually="the labels of train and test are numbered in another order.",
        mend="correct the order of the labels in one of the sources, then `prepdata build` anew",
    ),
    "labels-contradict": Advice(
        severity="warning",
        usually="the same text has several labels: annotators who differ, or a text that was cut.",
        mend="`prepdata build`, which keeps one of each; or correct {file}",
    ),
    "few-test-items": Advice(
        severity="warning",
        usually="so few test records can only show very large differences; the rest is chance.",
        mend="`prepdata build --test-fraction 0.2`, or a larger source",
    ),
    "no-test": Advice(
        severity="note",
        usually="there is nothing to compare on but prompts/test.json.",
        mend="`prepdata build --test-fraction 0.05`",
    ),
    "inputs-shortened": Advice(
        severity="warning",
        usually="max_length is shorter than the records are; what the answer is about may be cut "
        "off.",
        mend="`tune run --max-length {tokens}`, or shorten the inputs",
    ),
    "records-too-long": Advice(
        severity="warning",
        usually="question and answer alone are longer than max_length; such records are left out.",
        mend="`tune run --max-length {tokens}`, or shorten the outputs",
    ),
    "eos-in-output": Advice(
        severity="warning",
        usually="a script glued the end mark on; it is then trained twice, or as plain text that "
        "models of another family never read as an end.",
        mend="remove the mark from the outputs of {file}; `tune run` ends every answer with EOS",
    ),
}
"""Codes over a data folder."""

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
        usually="the learning rate is too low, the training too short, or nothing trainable is "
        "reached.",
        mend="`tune run --learning-rate {rate:g} --overwrite ...` with the run's other settings",
    ),
    "overfitting": Advice(
        severity="warning",
        usually="the model learns the training records by heart; the best checkpoint was kept, the "
        "rest of the training was for nothing.",
        mend="`tune run --num-train-epochs {epochs:g} --overwrite ...`, or more data",
    ),
    "no-validation": Advice(
        severity="warning",
        usually="nothing shows when the training should have ended, nor which checkpoint is best.",
        mend="`prepdata build --val-fraction 0.05`, then `tune run`",
    ),
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
