"""Training: the safety adapter of the default model, and masked DPO."""
