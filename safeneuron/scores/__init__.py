"""One way of scoring every neuron per file, each declaring ``SCORE``."""
