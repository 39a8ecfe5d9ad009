"""safeneuron: find, switch off and freeze the safety neurons of language models (arXiv 2602.12158)."""

__version__ = "0.1.0"
