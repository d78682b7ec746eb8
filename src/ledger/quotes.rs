//! Scans the quotes of a record: where it ends, and whether they keep the rules of CSV.

/// Where the scan is. The CSV parser has the same states, so both find the same end of a record.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    CellStart,
    Unquoted,
    Quoted,
    QuoteInQuoted,
}

/// The scan of a record, byte by byte.
#[derive(Default)]
pub(super) struct QuoteScan {
    state: State,
    /// Position of the last quote that began a cell.
    pub(super) quote_at: usize,
    /// True if a cell in quotes spans lines.
    pub(super) spans_lines: bool,
    /// True if the last cell in quotes spans lines.
    cell_spans: bool,
    /// True if a quote follows a backslash.
    pub(super) may_be_escaped: bool,
    after_backslash: bool,
}

/// What a byte means for the record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to the record.
    Next,
    /// The record ends before it.
    End,
    /// It follows a closing quote on a later line than the opening one. That quote probably belongs
    /// to another row.
    ClosedTooLate,
    /// It breaks the rules of CSV, and the record may have backslash escapes.
    MayBeEscaped,
}

impl QuoteScan {
    /// True within quotes.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Quoted
    }

    /// Scans the byte at this position of the record. Only [`Step::Next`] moves past it.
    pub(super) fn step(&mut self, at: usize, byte: u8, delimiter: u8) -> Step {
        let is_line_end = matches!(byte, b'\n' | b'\r');
        let is_after_quote = self.state == State::QuoteInQuoted;
        let is_stray = match self.state {
            State::QuoteInQuoted => byte != b'"' && byte != delimiter && !is_line_end,
            State::Unquoted => byte == b'"',
            State::CellStart | State::Quoted => false,
        };
        if is_stray && is_after_quote && self.cell_spans {
            return Step::ClosedTooLate;
        }
        if is_stray && self.may_be_escaped {
            return Step::MayBeEscaped;
        }
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => {
                self.may_be_escaped |= self.after_backslash;
                State::QuoteInQuoted
            }
            (State::Quoted, _) => {
                self.spans_lines |= is_line_end;
                self.cell_spans |= is_line_end;
                State::Quoted
            }
            _ if is_line_end => return Step::End,
            _ if byte == delimiter => State::CellStart,
            (State::CellStart, b'"') => {
                (self.quote_at, self.cell_spans) = (at, false);
                State::Quoted
            }
            (State::QuoteInQuoted, b'"') => State::Quoted,
            _ => State::Unquoted,
        };
        self.after_backslash = byte == b'\\';
        Step::Next
    }
}
