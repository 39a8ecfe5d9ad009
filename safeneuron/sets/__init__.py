"""Neuron sets that people name: the language that they are written in, and the store that keeps them."""
