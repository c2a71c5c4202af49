"""Ways of answering on a CPU that compute the same with less work."""
