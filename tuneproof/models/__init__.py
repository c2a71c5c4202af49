"""Loading models, adapters and heads; what tuning and inference both stand on."""
