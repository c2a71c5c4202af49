"""`tune sweep`: many runs of one training, to find the settings that do best on the validation."""
