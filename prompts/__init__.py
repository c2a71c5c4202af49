"""The prompt templates, and the files of prompts that models are compared on."""
