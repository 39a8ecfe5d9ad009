"""One model family per file: an ``MLPLayout`` named ``LAYOUT``, or a ``Refused`` named ``REFUSED``."""
