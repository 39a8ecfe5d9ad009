"""One model family per file: an ``MLPLayout`` named ``LAYOUT``, or a ``NoNeurons`` named ``NO_NEURONS``."""
