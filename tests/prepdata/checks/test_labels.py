from __future__ import annotations

from tuneproof.finding import Finding
from tuneproof.prepdata.checks.labels import LabelCounts, check_counts


def evidence(labels: list[str], counts: LabelCounts) -> list[str]:
    return [finding.evidence for finding in check_counts("t", labels, counts)]


def test_balanced_labels_are_no_finding() -> None:
    counts = {name: {"train": 10, "validation": 1, "test": 1} for name in ("yes", "no")}
    assert evidence(["yes", "no"], counts) == []  # type: ignore[arg-type]


def test_imbalance_over_ten_to_one_is_warned_of() -> None:
    assert evidence(["a", "b"], {"a": {"train": 100}, "b": {"train": 10}}) == []
    assert evidence(["a", "b"], {"a": {"train": 101}, "b": {"train": 10}}) == [
        "t: unbalanced: 'a' has 101 training records, 'b' has 10"
    ]


def test_label_that_train_never_saw_is_warned_of() -> None:
    counts: LabelCounts = {"a": {"train": 5}, "b": {"train": 5}, "c": {"train": 0, "test": 2}}
    assert evidence(["a", "b", "c", "d"], counts) == [
        "2 of 2 (100 %) test records of t have a label that train never shows: 'c'",
        "t: label 'd': no record has it",
    ]


def test_label_of_validation_alone_is_a_warning_and_of_the_test_an_error() -> None:
    counts: LabelCounts = {"a": {"train": 5}, "b": {"train": 5}, "c": {"test": 1, "validation": 1}}
    findings: list[Finding] = list(check_counts("t", ["a", "b", "c"], counts))
    assert [(f.code, f.severity, f.evidence.split()[5]) for f in findings] == [
        ("label-unseen", "error", "test"),
        ("label-unseen", "warning", "validation"),
    ]


def test_single_label_in_train_is_warned_of() -> None:
    assert evidence(["a"], {"a": {"train": 5}}) == ["t: train has one label only, 'a'"]


def test_label_that_begins_another_is_warned_of() -> None:
    counts: LabelCounts = {"Loan": {"train": 5}, "Loan or lease": {"train": 5}}
    assert evidence(["Loan", "Loan or lease"], counts) == [
        "t: label 'Loan' is also how 'Loan or lease' begins"
    ]
