"""The regression set: general items that a tuned model must still get right."""
