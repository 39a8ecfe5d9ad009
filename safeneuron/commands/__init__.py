"""The commands of ``python -m safeneuron``, a file for each group of them."""
