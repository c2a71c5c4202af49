"""What can be found in a comparison. To add a code: write a check, add an entry."""

from __future__ import annotations

from tuneproof.finding import Advice

COMPARISON: dict[str, Advice] = {
    "items-repeated": Advice(
        severity="warning",
        usually="the same question was taken in under two ids; it counts twice, and chance looks "
        "like a result.",
        mend="leave one of the two out of the prompts, or give both the same `group`; "
        "`prepdata build` leaves a test split as it is, and says how many repeats it holds",
    ),
    "reference-in-prompt": Advice(
        severity="error",
        usually="the training form, with its answer, was used for asking; the score shows copying.",
        mend="remove the answer from `prompt` and `input`, and `infer compare PROMPTS --run RUN`",
    ),
    "probabilities-constant": Advice(
        severity="error",
        usually="nothing was computed from the text: a default was written where scoring failed, "
        "or the text was cut off.",
        mend="`infer compare PROMPTS --run RUN`, which scores every label after every text",
    ),
    "references-displaced": Advice(
        severity="error",
        usually="a row was lost, or one of two columns was sorted or shuffled, before questions "
        "and right answers were put together.",
        mend="join questions and references by id, then `infer compare PROMPTS --run RUN`",
    ),
    "answers-displaced": Advice(
        severity="error",
        usually="a batch came back in another order (sorted by length, several processes), or the "
        "answers of two files were put together by position.",
        mend="`infer compare PROMPTS --run RUN`, which keeps every answer at its item",
    ),
    "variants-swapped": Advice(
        severity="error",
        usually="base and tuned were exchanged when the file was written.",
        mend="exchange the names, or `infer compare PROMPTS --run RUN`",
    ),
    "answers-swapped": Advice(
        severity="warning",
        usually="the answers of base and tuned were exchanged in some items, as when two files are "
        "merged.",
        mend="`infer compare PROMPTS --run {run}`, which keeps every answer at its model",
    ),
    "base-differs": Advice(
        severity="error",
        usually="the difference is that of two models, and not the training's.",
        mend="`infer compare PROMPTS --run {run}`, which loads the base that the run was trained "
        "on",
    ),
    "tokens-unlike-texts": Advice(
        severity="warning",
        usually="texts were changed, cut or put at another item after the tokens had been "
        "counted, or nothing but spaces was generated.",
        mend="`infer compare PROMPTS --run {run}`, and keep the texts as they come",
    ),
    "few-shot-beats-tuning": Advice(
        severity="warning",
        usually="a few examples in the prompt do what the training was to do, and cost no "
        "training.",
        mend="`tune run` on more data or for more epochs, or keep the prompt with examples",
    ),
    "garbled-characters": Advice(
        severity="warning",
        usually="UTF-8 was read as Windows-1252 or Latin-1, or tokens were joined without decoding "
        "their bytes.",
        mend="read the file with `encoding='utf-8'`, decode with the tokenizer's `decode`, then "
        "`prepdata build` and `infer compare` anew",
    ),
    "special-token-in-text": Advice(
        severity="warning",
        usually="a special token came through as text: it was decoded with "
        "`skip_special_tokens=False`, glued on by a script, or is none of this model's.",
        mend="remove it from the data (`tune doctor --data DATA`), then `infer compare PROMPTS "
        "--run RUN`",
    ),
    "thinking-in-answers": Advice(
        severity="error",
        usually="what the model thought before it answered is scored as its answer.",
        mend="cut the answers after `</think>`, or ask without thinking, for all variants alike",
    ),
    "markup-in-answers": Advice(
        severity="warning",
        usually="pages were taken as training data without removing their tags.",
        mend="remove tags and entities from the outputs, `prepdata build`, then `tune run` anew",
    ),
    "next-turn-in-answers": Advice(
        severity="warning",
        usually="the model did not stop and goes on with a question of its own: the end mark was "
        "not trained, or another one is waited for.",
        mend="`tune doctor --run {run}`, which shows whether EOS was trained",
    ),
    "refusals": Advice(
        severity="warning",
        usually="an assistant's habit of declining, from the base or from machine-made training "
        "data.",
        mend="look for refusals in the outputs of DATA, leave them out, then `tune run` anew",
    ),
    "other-language": Advice(
        severity="warning",
        usually="the model answers in the language that it knows best, or outputs of another "
        "language are in the training data.",
        mend="`prepdata inspect DATA`, then `tune run` on outputs of the language wanted",
    ),
    "answers-break-off": Advice(
        severity="warning",
        usually="answers were cut at a length although it says that they ended, or the training "
        "outputs were.",
        mend="`tune doctor --run {run}`, and `infer compare PROMPTS --run {run}` with a larger "
        "--max-new-tokens",
    ),
    "answers-end-open": Advice(
        severity="warning",
        usually="answers were cut at a length although it says that they ended; or the training "
        "outputs have no full stops.",
        mend="`tune doctor --run {run}`, and `infer compare PROMPTS --run {run}` with a larger "
        "--max-new-tokens",
    ),
    "one-answer-for-all": Advice(
        severity="warning",
        usually="the training collapsed to one output, the question was cut off or lost, or one "
        "answer was written into many rows.",
        mend="`tune doctor --run {run}`, then `tune run` with a lower --learning-rate",
    ),
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
    "one-seed": Advice(
        severity="note",
        usually="trained again with another seed, the same settings give another checkpoint. Three "
        "seeds of a LoRA on complaints (docs/results.md) had accuracies with a standard deviation "
        "of 2.5 points, which no interval over items contains.",
        mend="`tune run --seeds 3`, then `infer compare PROMPTS --run NAME`, which judges the "
        "settings over their seeds",
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
        "otherwise than in training; or a script lost the answers (`nan`, `None`).",
        mend="`prepdata inspect DATA` for empty outputs, then `tune doctor --run {run}`",
    ),
    "answers-failed": Advice(
        severity="warning",
        usually="the server refused the prompt (status 400: too long for its context), was "
        "overloaded, or took longer than --endpoint-timeout. The prompt is scored for no variant, "
        "so that all are judged on the same items: the hard ones may be missing.",
        mend="run the same `infer compare` again, or start the server with a longer context",
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
        "another kind than the questions; or the answers of the two were exchanged.",
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
    "broke-general-skills": Advice(
        severity="warning",
        usually="too many epochs or too high a learning rate for so little data made the model "
        "forget what it knew.",
        mend="`tune run --num-train-epochs 1`, or with a lower --learning-rate, or on data with "
        "general rows among them (`prepdata build --mix regressions=0.1`); then "
        "`infer compare regressions --run {run}`",
    ),
}
"""Every code over a comparison, in the order in which its checks run."""
