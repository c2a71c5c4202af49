"""What a training costs: operations, time, memory, and budgets of them."""
