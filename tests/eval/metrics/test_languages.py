"""What the metrics say of answers in many languages."""

from __future__ import annotations

import pytest

from tuneproof.eval.metrics.chrf import chrf
from tuneproof.eval.metrics.echo import echo_rate
from tuneproof.eval.metrics.repetition import distinct_2, loop_rate, repetition_rate
from tuneproof.eval.metrics.rouge import rouge1, rouge2, rouge_l
from tuneproof.eval.metrics.squad import exact_match, token_f1

TEXTS = {
    "Chinese": ("火车将在下午三点到达北京。", "他每天早上六点起床跑步。"),
    "Japanese": ("明日の朝は雨が降るでしょう。", "コーヒーを一杯ください。"),
    "Thai": ("วันนี้อากาศดีมาก", "ฉันชอบกินข้าวผัด"),
    "Hindi": ("यह पुस्तक एक मछुआरे की कहानी है।", "कृपया खिड़की बंद कर दीजिए।"),
    "Arabic": ("الطقس جميل اليوم في المدينة.", "أغلق الباب من فضلك."),
    "Russian": ("Поезд прибывает в три часа.", "Закройте, пожалуйста, окно."),
    "Korean": ("기차는 오후 세 시에 도착합니다.", "창문을 닫아 주세요."),
    "mixed": ("我用 Python 3 写代码", "请把 README 翻译成英文"),
    "digit": ("会议在3号楼举行", "他有3只猫和狗"),
    "Khmer": ("ថ្ងៃនេះអាកាសធាតុល្អ", "ខ្ញុំចូលចិត្តបាយ"),
    "Greek": ("Το τρένο φτάνει στις τρεις.", "Κλείσε το παράθυρο."),
}
METRICS = (rouge1, rouge_l, token_f1, exact_match, chrf)


@pytest.mark.parametrize("language", TEXTS)
def test_right_answers_score_one_and_wrong_ones_little(language: str) -> None:
    right, wrong = TEXTS[language]
    for metric in METRICS:
        assert metric(right, right) == 1
        score = metric(wrong, right)
        assert score is not None and score < 0.4, metric
        assert metric("", right) == 0
    assert rouge2(right, right) == 1


def test_words_that_differ_in_a_mark_differ() -> None:
    for one, other in (("की", "का"), ("ดี", "ดา"), ("كَتَبَ", "كُتُب"), ("dès", "dés")):
        assert exact_match(one, other) == rouge1(one, other) == token_f1(one, other) == 0


def test_full_stops_and_widths_do_not_matter() -> None:
    assert exact_match("１２時です。", "12時です") == token_f1("１２時です。", "12時です") == 1
    assert rouge_l("テスト！", "ﾃｽﾄ") == 1


def test_emoji_are_read_by_the_metrics_that_can() -> None:
    thumb, other = "\U0001f44d", "\U0001f44e"
    assert (rouge_l(thumb, thumb), rouge_l(other, thumb)) == (None, None)
    for metric in (exact_match, token_f1, chrf):
        assert (metric(thumb, thumb), metric(other, thumb)) == (1, 0)


@pytest.mark.parametrize(
    ("sentence", "rate"),
    [
        ("今天天气很好。", 0.97),
        ("今日はとてもいい天気です", 0.97),
        ("ค่ะขอบคุณมาก", 0.97),
        ("यह बहुत अच्छा है।", 0.96),
        ("спасибо большое вам ", 0.97),
        ("감사합니다 정말로 ", 0.97),
        ("\U0001f600", 0.9),
    ],
)
def test_loops_of_every_script_are_found(sentence: str, rate: float) -> None:
    text = sentence * 40
    assert loop_rate(text) == 1
    assert repetition_rate(text) > rate
    assert distinct_2(text) < 0.1
    assert loop_rate(sentence) == repetition_rate(sentence) == 0


@pytest.mark.parametrize(
    "text",
    [
        "今天早上我去市场买了一些新鲜的蔬菜和水果，然后回家做午饭。",
        "昨日は友達と一緒に映画を見て、そのあと駅の近くで夕食を食べました。",
    ],
)
def test_plain_sentences_hardly_repeat(text: str) -> None:
    assert repetition_rate(text) == loop_rate(text) == 0


def test_echoes_of_scripts_without_spaces() -> None:
    question = "请用一句话说明为什么植物的叶子在秋天会变成黄色或红色？"
    assert echo_rate(question, question) == 1
    assert echo_rate(f"{question}因为叶绿素减少。", question) == 1
    assert echo_rate("因为叶绿素减少。", question) == 0
    assert echo_rate("中国的首都是北京。", "中国的首都是哪里？") == 0  # a common beginning
