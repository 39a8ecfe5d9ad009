"""What transformers cannot read, said in a sentence."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safeneuron.errors import Cancelled, UserError

LOAD_REPORT = " LOAD REPORT"
"""In the heading of transformers' own report on weights that do not fit."""


@contextmanager
def reading(place: Path) -> Iterator[None]:
    """Turn what transformers says of a model that it cannot read into a sentence.

    Any error: tokenizers raises bare exceptions, and what lies in the place is the person's, not ours. The report on
    weights that do not fit is not printed, since :func:`safeneuron.models.open_check.require_all_weights` refuses them.
    """
    logger, report = logging.getLogger("transformers.modeling_utils"), lambda record: LOAD_REPORT not in str(record.msg)
    # A filter and not a level: with another level transformers checks what it otherwise does not.
    logger.addFilter(report)
    try:
        yield
    except (UserError, Cancelled):
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(":.")
        raise UserError(f"{place} cannot be opened as a model ({reason}); fetch or convert it again.") from error
    finally:
        logger.removeFilter(report)
