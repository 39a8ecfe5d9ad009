"""What can be observed of a class of prompts in one pass, one kind per file, each declaring ``OBSERVATION``."""
