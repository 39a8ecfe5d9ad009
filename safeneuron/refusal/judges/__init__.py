"""One way of telling a refusal from an answer per file, each declaring ``JUDGE``."""
