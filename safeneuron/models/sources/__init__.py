"""One kind of place that models come from per file, each declaring ``SOURCE``."""
