"""What can be found in a comparison. To add a code: write a check, add an entry."""

from __future__ import annotations

from tuneproof.finding import Advice

COMPARISON: dict[str, Advice] = {
    "decoding-differs": Advice(
        severity="error",
        usually="the answers were drawn under different settings, so that the difference is theirs "
        "and not the training's.",
        mend="`infer compare PROMPTS --run RUN`, which answers by all variants in the same way",
    ),
    "sampled-against-greedy": Advice(
        severity="error",
        usually="one script sampled and the other did not; greedy answers loop more and sampled "
        "ones wander, whatever was trained.",
        mend="`infer compare PROMPTS --run RUN` without --do-sample",
    ),
    "sampled-once": Advice(
        severity="note",
        usually="another seed gives other answers, so that part of every difference is luck.",
        mend="`infer compare PROMPTS --run RUN` without --do-sample, or score several seeds",
    ),
    "decoding-not-recorded": Advice(
        severity="note",
        usually="a script wrote the answers only; whether base and tuned were asked alike cannot "
        "be told.",
        mend="`infer compare PROMPTS --run RUN`, which records it",
    ),
    "template-differs": Advice(
        severity="error",
        usually="the model was asked in another form than it was trained on, and answers with "
        "words of the form.",
        mend="`infer compare PROMPTS --run RUN`, which takes the template from the run",
    ),
    "template-words": Advice(
        severity="error",
        usually="the model was asked with another prompt template than it was trained with "
        "('Input:' or 'Output:' in training, '### Response:' when asking), and goes on with what "
        "is missing.",
        mend="`infer compare PROMPTS --run {run}`, which asks with the template of the run",
    ),
    "answers-loop": Advice(
        severity="warning",
        usually="greedy decoding of a model that was never taught to stop, or that learned too "
        "little; a small base loops by nature.",
        mend="`tune doctor --run {run}`, to see whether EOS was trained; otherwise train longer, "
        "or with a higher `--unlikelihood`",
    ),
    "not-stopping": Advice(
        severity="warning",
        usually="the end mark (EOS) was not trained, often because padding is the same token and "
        "was masked by its id; or the training was too short.",
        mend="`tune doctor --run {run}`, then `tune run` again: it trains EOS in every answer",
    ),
    "answers-cut": Advice(
        severity="warning",
        usually="max_new_tokens is smaller than the answers are long; every metric then scores "
        "halves.",
        mend="`infer compare PROMPTS --run {run} --max-new-tokens {tokens}`",
    ),
    "empty-answers": Advice(
        severity="warning",
        usually="the first token is EOS: empty outputs in the training data, or a prompt that ends "
        "otherwise than in training.",
        mend="`prepdata inspect DATA` for empty outputs, then `tune doctor --run {run}`",
    ),
    "tuned-equals-base": Advice(
        severity="error",
        usually="the adapter was not applied (not loaded, disabled, or all zero), or the base was "
        "compared with itself.",
        mend="`tune doctor --run {run}`, which compares the logits with and without the adapter",
    ),
    "base-is-better": Advice(
        severity="warning",
        usually="the training did harm: learning rate too high, too many epochs, or data of "
        "another kind than the questions.",
        mend="`tune doctor --run {run}`, then `tune run` with a lower --learning-rate or fewer "
        "--num-train-epochs",
    ),
    "too-few-items": Advice(
        severity="note",
        usually="so few questions can only show very large differences; the rest is chance.",
        mend="`infer compare DATA/test.jsonl --run RUN`, with a test file of hundreds of records",
    ),
    "below-chance": Advice(
        severity="error",
        usually="labels are mixed up somewhere: another order, another spelling, or answers read "
        "wrongly; a guess would do better.",
        mend="`tune doctor --data DATA`, which compares the labels of train and test",
    ),
    "below-majority": Advice(
        severity="warning",
        usually="always saying the commonest label would be right more often: too little was "
        "learned.",
        mend="`tune run` for more epochs or with a higher --learning-rate",
    ),
    "one-label-only": Advice(
        severity="warning",
        usually="the training collapsed: one label is far commoner in train, the learning rate is "
        "too high, or the text that matters was cut off.",
        mend="`prepdata build --balanced ...` and `tune run` with a lower --learning-rate",
    ),
    "invalid-labels": Advice(
        severity="warning",
        usually="the model writes something else than the labels: too short a training, or labels "
        "spelt otherwise in train.",
        mend="`tune doctor --data DATA`, then `tune run` for more epochs",
    ),
    "labels-turned": Advice(
        severity="error",
        usually="the mapping from label to number or word is turned round between training and "
        "scoring.",
        mend="`prepdata build` anew, so that manifest.json holds the labels of both, then "
        "`tune run`",
    ),
}
"""Every code over a comparison, in the order in which its checks run."""
