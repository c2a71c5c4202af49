"""What can be found in a data folder. To add a code: write a check, add an entry."""

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
    "data-edited": Advice(
        severity="warning",
        usually="it was edited or replaced by hand, so that what the build made sure of (no leaks, "
        "no repeats) may not hold; or a build was cut off, and the files are of two builds.",
        mend="`prepdata build` with the settings of before; a change that is meant belongs in the "
        "source",
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
        mend="decide for one label in the source, then `prepdata build` anew; or correct {file}",
    ),
    "few-test-items": Advice(
        severity="warning",
        usually="so few test records can only show very large differences; the rest is chance.",
        mend="`prepdata build --test-fraction 0.2`, or a larger source",
    ),
    "label-unused": Advice(
        severity="note",
        usually="the label set is wider than the data, or a limit left all records of it out.",
        mend="a larger --limit, or a label set of the labels that there are",
    ),
    "one-label": Advice(
        severity="warning",
        usually="the source was cut or filtered to one kind; there is nothing to tell apart.",
        mend="`prepdata build` with another --where, or another source",
    ),
    "labels-unbalanced": Advice(
        severity="warning",
        usually="the commonest label is learned at the cost of the rare ones.",
        mend="`prepdata build --balanced --allow-fewer`",
    ),
    "label-begins-another": Advice(
        severity="warning",
        usually="a generated answer that ends too early is then another label.",
        mend="names of which none begins another",
    ),
    "no-validation": Advice(
        severity="warning",
        usually="nothing shows when the training should have ended, nor which checkpoint is best.",
        mend="`prepdata build --val-fraction 0.05`, then `tune run`",
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
