"""One declarative :class:`safeneuron.models.layout.MLPLayout` per file, named ``LAYOUT``."""
