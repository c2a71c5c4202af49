"""Stage two, `tune`: train with TRL's SFTTrainer and PEFT, list runs, merge."""
