"""All that can be said of one neuron: what it answers to, what it writes, and what goes without it."""
