"""Dropout off in every family; DPO compares log-probabilities, and dropout would make noise of them.

TRL's ``disable_dropout`` reaches ``nn.Dropout`` modules only. OPT and Falcon call the function with a
rate that lies in a layer or in the config, and OPT leaves out whole layers while it trains.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel


@contextmanager
def without_dropout(model: PreTrainedModel) -> Iterator[None]:
    """Set every rate of dropout that a module or the config holds to 0 while the block runs."""
    rates = [
        (holder, name, value)
        for holder in (model.config, *model.modules())
        for name, value in vars(holder).items()
        if "drop" in name and isinstance(value, int | float) and value
    ]
    for holder, name, _ in rates:
        setattr(holder, name, 0.0)
    try:
        yield
    finally:
        for holder, name, value in rates:
            setattr(holder, name, value)
