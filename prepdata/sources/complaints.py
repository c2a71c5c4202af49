"""Consumer complaints: letters to the bureau, with the product they are about.

Hub: BEE-spoke-data/consumer-finance-complaints, public domain; or the bureau's CSV. One row:

    {"Product": "Mortgage", "Consumer complaint narrative": "I applied for ...",
     "Company": "BANK OF AMERICA, NATIONAL ASSOCIATION", "Complaint ID": "3384392", ...}
"""

from __future__ import annotations

from tuneproof.formats.example import Example
from tuneproof.prepdata.sources.rows import Row

INSTRUCTION = "Which product is this consumer complaint about?"


def record(row: Row) -> Example | str:
    """Map one row; most have no narrative, since the consumer did not agree to publish it."""
    row.require("Product", "Consumer complaint narrative", "Complaint ID")
    narrative = row.text("Consumer complaint narrative")
    if not narrative:
        return "no narrative"
    return Example(
        id=f"complaints-{row.text('Complaint ID')}",
        task="complaints",
        instruction=INSTRUCTION,
        input=narrative,
        output=row.text("Product"),
        group=row.text("Complaint ID"),
    )
