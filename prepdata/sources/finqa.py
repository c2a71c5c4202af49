"""FinQA: questions on pages of company reports, with a table and the text around it.

Hub: PTPReasoning/finqa, MIT. Upstream JSON nests the question, the Hub's form is flat:

    {"id": "V/2008/page_17.pdf-1", "filename": "V/2008/page_17.pdf",
     "pre_text": ["the largest operators ..."], "table": [["company", "volume"], ["visa", "$ 2457"]],
     "post_text": ["( 1 ) visa inc ."],
     "qa": {"question": "what is the average ...?", "answer": "127.40", "exe_ans": 127.4}}
"""

from __future__ import annotations

import re
from typing import Any

from core.errors import InputError
from prepdata.records import Record, content_id
from prepdata.sources.opening import Row

ANSWERS = ("answer", "final_result", "exe_ans", "exe_ans_computed")


def record(row: Row) -> Record:
    """Map one row; the questions of one page form a group."""
    values: dict[str, Any] = {**row.values, **(row.values.get("qa") or {})}
    if "question" not in values:
        raise InputError(f"{row.where}: missing field 'question' (or 'qa' that holds one)")
    if not any(name in values for name in ANSWERS):
        raise InputError(f"{row.where}: missing the answer; one of {', '.join(ANSWERS)} is needed")
    question = str(values["question"]).strip()
    page = input_text(values)
    name = str(values.get("id") or content_id("finqa", question, page))
    return Record(
        id=name,
        task="finqa",
        instruction=question,
        input=page,
        output=answer_text(values),
        group=str(values.get("filename") or re.sub(r"-\d+$", "", name)),
    )


def input_text(values: dict[str, Any]) -> str:
    """Return the page as text: the table first, since what is too long is cut from the end."""
    parts = [table_text(values.get("table") or [])]
    parts += [_joined(values.get(name)) for name in ("pre_text", "retrieved_context", "post_text")]
    return "\n\n".join(part for part in parts if part)


def table_text(table: list[list[Any]]) -> str:
    """Return a table as lines of cells set apart by ``|``, the header row first and ruled off."""
    lines = [" | ".join(" ".join(str(cell).split()) for cell in cells) for cells in table]
    if len(lines) > 1:
        lines.insert(1, " | ".join("---" for _ in table[0]))
    return "\n".join(lines)


def answer_text(values: dict[str, Any]) -> str:
    """Return the first answer given that is not empty; numbers without needless digits."""
    for name in ANSWERS:
        value = values.get(name)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.5g}" if abs(value) < 1e5 else f"{value:.2f}".rstrip("0").rstrip(".")
        if value is not None and str(value).strip():
            return str(value).strip()
    return ""


def _joined(text: Any) -> str:
    lines = [text] if isinstance(text, str) else text or []
    return " ".join(line.strip() for line in lines if line.strip(" .")).strip()
