"""The rules of reconcile over Arrow: normalize and compare a provider's answers."""

import datetime
from typing import Any, Protocol, TypedDict, final

import pyarrow

class _ArrowArray(Protocol):
    """An object that exports one batch, such as a pyarrow.RecordBatch."""

    def __arrow_c_array__(self, requested_schema: object | None = ...) -> tuple[object, object]: ...

class _ArrowStream(Protocol):
    """An object that exports batches: a pyarrow.Table, polars.DataFrame or DuckDB relation."""

    def __arrow_c_stream__(self, requested_schema: object | None = ...) -> object: ...

class _TieOutLine(TypedDict):
    """A line of the tie-out."""

    rule: str
    numbers: str
    foots: bool

__all__ = [
    "ANSWERS_SCHEMA",
    "DETAILS_SCHEMA",
    "DISCREPANCIES_SCHEMA",
    "IDENTITIES_SCHEMA",
    "LEDGER_SCHEMA",
    "RECORDS_SCHEMA",
    "Comparison",
    "InputError",
    "TieOutError",
    "Totals",
    "__version__",
    "compare",
    "discrepancy_identity",
    "normalize",
]

__version__: str

LEDGER_SCHEMA: pyarrow.Schema
"""The columns that a ledger may have, with types that need no parsing."""
ANSWERS_SCHEMA: pyarrow.Schema
"""The columns of the answers. The last two are used if they are there."""
RECORDS_SCHEMA: pyarrow.Schema
"""The columns of normalize()."""
DETAILS_SCHEMA: pyarrow.Schema
"""The columns of Comparison.details. The ledger's carried columns follow them."""
DISCREPANCIES_SCHEMA: pyarrow.Schema
"""The columns of Comparison.discrepancies. The ledger's carried columns follow them."""

IDENTITIES_SCHEMA: pyarrow.Schema
"""The columns of discrepancy_identity()."""

class InputError(ValueError):
    """An input cannot be used."""

    input: str
    """'ledger', 'answers' or 'discrepancies'."""
    row: int | None
    """The row from 0; None if the whole column or input is at fault."""
    column: str | None
    """The column; None if the whole input is at fault."""

class TieOutError(ValueError):
    """A line of the tie-out does not add up."""

@final
class Totals:
    """The counts of one or several comparisons. They can be added and pickled."""

    def __init__(self) -> None: ...
    def merge(self, other: Totals) -> None:
        """Adds the counts of another part of the ledger."""
    def __add__(self, other: Totals, /) -> Totals: ...
    def __eq__(self, other: object, /) -> bool: ...
    def to_dict(self) -> dict[str, Any]:
        """The counts under their names in summary.json."""
    def check(self) -> list[_TieOutLine]:
        """The lines of the tie-out.

        Raises TieOutError if one does not add up.
        """

@final
class Comparison:
    """The result of compare()."""

    @property
    def details(self) -> pyarrow.RecordBatch:
        """One row per call, by ledger line."""
    @property
    def discrepancies(self) -> pyarrow.RecordBatch:
        """One row per discrepancy, by ledger line and kind."""
    @property
    def totals(self) -> Totals:
        """The counts."""

def normalize(answers: _ArrowArray | _ArrowStream) -> pyarrow.RecordBatch:
    """Reads the provider's records: one row for each answer, in their order.

    Raises InputError if a column is missing or an answer has no key.
    """

def compare(
    ledger: _ArrowArray | _ArrowStream,
    answers: _ArrowArray | _ArrowStream,
    *,
    settle: datetime.timedelta = ...,
    duration_tolerance: int = 0,
    time_tolerance: int = 0,
    prod_id: int | str | None = None,
    call_date: datetime.date | None = None,
) -> Comparison:
    """Compares a ledger with the provider's answers.

    All rows that name the same call must be in `ledger`, and its answers in `answers`.

    settle: a call younger than this and without a record is pending; five minutes by default.
    duration_tolerance, time_tolerance: seconds by which two values may differ and still match.
    prod_id: product of rows that name none. call_date: day (UTC+8) of rows that name none.

    Raises InputError if a column is missing or cannot be read, or an answer has no key. An unusable
    row of the ledger is no error: it becomes a discrepancy.
    """

def discrepancy_identity(discrepancies: _ArrowArray | _ArrowStream) -> pyarrow.RecordBatch:
    """What makes each discrepancy the same as one of another night.

    discrepancies: the columns of Comparison.discrepancies, with those carried through.

    The result has one row for each, in their order. identity: 32 hexadecimal digits of call, kind
    and field. subject: the digest of the call or of the unusable row alone. Both are null for a row
    that names no call although its kind is about one. Several rows may have the same identity, such
    as the later rows of a call.

    Raises InputError if a column is missing or has another type.
    """
