"""The classical baselines that a fine-tuned classifier has to beat: pure functions over texts.

Each learns from the training texts and their labels, and returns for every text the probability of
every label, in the order of `labels`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from tuneproof.errors import InputError, unknown
from tuneproof.inference.shots import tf_idf

Texts = Sequence[str]
Probabilities = list[dict[str, float]]


def predict(
    name: str, train_texts: Texts, train_labels: Texts, texts: Texts, labels: Texts
) -> Probabilities:
    """Return the label probabilities that a baseline gives to each text.

    Args:
        name: A name in `BASELINES`.
        train_texts: What the baseline learns from.
        train_labels: The right label of each training text.
        texts: What is to be labelled.
        labels: The label set; every training label is in it.

    Raises:
        InputError: Unknown baseline, no or unequally many training texts and labels, or a training
            label outside the label set.
    """
    if name not in BASELINES:
        raise unknown("baseline", name, BASELINES)
    if not train_labels or len(train_texts) != len(train_labels):
        raise InputError(
            f"{len(train_texts)} training texts with {len(train_labels)} labels; a baseline needs "
            "at least one, and one label for each text"
        )
    for label in sorted(set(train_labels) - set(labels)):
        raise unknown("label in the training data,", label, labels)
    return BASELINES[name](train_texts, train_labels, texts, labels) if texts else []


def pick_label(probabilities: Mapping[str, float], text: str) -> str:
    """Return the most probable label; a tie is settled by a hash of the text.

    So chance guesses every label equally often, and always the same for the same text.
    """
    highest = max(probabilities.values())
    tied = [label for label, probability in probabilities.items() if probability == highest]
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return tied[int.from_bytes(digest[:8], "big") % len(tied)]


def _chance(train_texts: Texts, train_labels: Texts, texts: Texts, labels: Texts) -> Probabilities:
    """Give every label the same probability."""
    return [dict.fromkeys(labels, 1 / len(labels)) for _ in texts]


def _majority(
    train_texts: Texts, train_labels: Texts, texts: Texts, labels: Texts
) -> Probabilities:
    """Give every label its frequency in training, so that the most frequent one always wins."""
    counts = Counter(train_labels)
    return [{label: counts[label] / len(train_labels) for label in labels} for _ in texts]


def _tf_idf(train_texts: Texts, train_labels: Texts, texts: Texts, labels: Texts) -> Probabilities:
    """Fit logistic regression on TF-IDF of words and word pairs; unseen labels get 0."""
    from sklearn.linear_model import LogisticRegression

    if len(set(train_labels)) == 1:  # nothing to separate
        return _majority(train_texts, train_labels, texts, labels)
    terms, vectors = tf_idf(list(train_texts))
    model = LogisticRegression(C=10, max_iter=1000).fit(vectors, list(train_labels))
    none = dict.fromkeys(labels, 0.0)
    return [
        none | dict(zip(model.classes_.tolist(), row, strict=True))
        for row in model.predict_proba(terms.transform(list(texts))).tolist()
    ]


BASELINES: dict[str, Callable[[Texts, Texts, Texts, Texts], Probabilities]] = {
    "chance": _chance,
    "majority": _majority,
    "tf-idf": _tf_idf,
}
"""Every baseline by the name it has as a variant."""
