"""Databricks Dolly 15k: instructions and answers written by employees.

Hub: databricks/databricks-dolly-15k, CC BY-SA 3.0. One upstream row:

    {"instruction": "When did Virgin Australia start operating?",
     "context": "Virgin Australia ... commenced services on 31 August 2000 ...",
     "response": "Virgin Australia commenced services on 31 August 2000 ...",
     "category": "closed_qa"}
"""

from __future__ import annotations

from tuneproof.formats.example import Example, content_id
from tuneproof.prepdata.sources.rows import Row


def record(row: Row) -> Example:
    """Map one row; questions about the same context form a group."""
    row.require("instruction", "response")
    instruction, context = row.text("instruction"), row.text("context")
    name = content_id("dolly", instruction, context, row.text("response"))
    return Example(
        id=name,
        task="dolly",
        instruction=instruction,
        input=context,
        output=row.text("response"),
        group=context or instruction,
    )
