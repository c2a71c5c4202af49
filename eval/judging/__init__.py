"""Which of two answers is better: votes of people, and the opinions of judges corrected by them."""
