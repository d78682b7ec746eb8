//! Finds out which column of the ledger holds which field.
//!
//! A field is never taken from a guessed column: an ambiguous header is an error that names both
//! columns.

use compact_str::CompactString;

use super::carried::Carried;
use super::columns::{Column, ColumnNote, REASON_COLUMN, Role};
use super::error::{HeaderError, LedgerError};
use super::header_text::{distance, looks_like_data, printable};
use super::joined::{ColumnKey, JoinedColumns, OneOfSeveral};
use super::options::Options;
use super::similar::similar_fields;
use reconcile_core::discrepancy_identity::LEDGER_FILE;
use reconcile_core::ledger_field::{FIELD_COUNT, Field, Match, normalized};

/// The column of each field, from 0.
type FieldColumns = [Option<usize>; FIELD_COUNT];

/// Columns assigned by the user, as (field, header). An empty header means no column.
type Mapping = [(String, String)];

/// The columns of one ledger.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// All columns as the header row names them.
    pub(super) names: Vec<String>,
    columns: FieldColumns,
    /// True if the account is a field. Its column may be missing.
    pub(super) has_account: bool,
    /// The columns that hold no field.
    pub(super) carried: Carried,
    /// Set in a file of several that are one ledger.
    pub(super) among: Option<Among>,
    /// The column with the reasons of earlier rejects: it is ignored.
    pub(super) ignored: Option<usize>,
    /// Notes on columns that look like a field but are carried.
    pub(super) notes: Vec<ColumnNote>,
}

/// A file's place among several that are one ledger.
#[derive(Debug, Clone)]
pub(super) struct Among {
    /// The file's name in the outputs.
    pub(super) file: CompactString,
    /// The headers of all files.
    headers: Vec<String>,
    /// The file's own column for each of them.
    pub(super) places: Vec<Option<usize>>,
}

/// How well a header row suits a ledger. The greatest value suits best.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Suitability {
    pub(super) has_call_id: bool,
    fields: usize,
    columns: usize,
}

impl Header {
    /// Assigns the columns of a header row to fields.
    ///
    /// # Errors
    /// No column holds the CallId, two hold one field, or the mapping does not match the columns.
    pub(super) fn new(names: &[String], options: &Options, ledger: &str) -> Result<Self, LedgerError> {
        let has_account = options.has_account();
        let (columns, mut notes) = assign(names, &options.map, has_account).map_err(|problem| {
            LedgerError::Header { ledger: ledger.to_owned(), problem, later_header: None }
        })?;
        let is_reason = |at: &usize| names[*at].trim() == REASON_COLUMN && !columns.contains(&Some(*at));
        let ignored = (0..names.len()).find(is_reason);
        let is_free = |at: &usize| !columns.contains(&Some(*at)) && ignored != Some(*at);
        let rest: Vec<usize> = (0..names.len()).filter(is_free).collect();
        notes.extend(similar_columns(names, &rest, &columns, options));
        let carried = Carried::new(names, rest, options.several.is_some());
        let own = Self { names: names.to_vec(), columns, has_account, carried, among: None, ignored, notes };
        Ok(match &options.several {
            Some(several) => own.among(several),
            None => own,
        })
    }

    /// The same columns among those of all files.
    fn among(self, OneOfSeveral { name, joined }: &OneOfSeveral) -> Self {
        if **joined == JoinedColumns::default() {
            return self;
        }
        let places = joined.places(&self.keys());
        let among = Among { file: name.clone(), headers: joined.headers(), places };
        Self { carried: self.carried.among(joined), among: Some(among), ..self }
    }

    /// Where the columns are, and what makes each the same as another file's.
    pub(super) fn keys(&self) -> Vec<(usize, ColumnKey)> {
        let field = |at: usize| Field::all().find(|field| self.column(*field) == Some(at));
        let carried = |at: usize| self.carried.columns.iter().position(|column| *column == Some(at));
        let key = |at: usize| match (field(at), carried(at)) {
            (Some(field), _) => Some((at, ColumnKey::Field(field.name()))),
            (None, Some(no)) => Some((at, ColumnKey::Carried(self.carried.names[no].to_lowercase()))),
            (None, None) => None,
        };
        (0..self.names.len()).filter_map(key).collect()
    }

    /// The headers of the rejects: those of all files, without the reasons of earlier rejects.
    pub(super) fn own_headers(&self) -> Vec<String> {
        if let Some(among) = &self.among {
            return among.headers.clone();
        }
        let names = self.names.iter().enumerate();
        names.filter(|(at, _)| Some(*at) != self.ignored).map(|(_, name)| name.clone()).collect()
    }

    /// The file's name in the outputs, if the ledger has several.
    pub(super) fn file_name(&self) -> Option<String> {
        self.among.as_ref().map(|among| among.file.to_string())
    }

    /// The values of a row before its carried columns, if it cannot be read at all.
    pub(super) fn values_of_unreadable(&self) -> Vec<CompactString> {
        let account = self.has_account.then(CompactString::default);
        let file = self.among.as_ref().map(|among| among.file.clone());
        file.map_or(Vec::new(), |file| account.into_iter().chain([file]).collect())
    }

    /// The names of a row's carried values in the outputs.
    pub(super) fn carried_names(&self) -> Vec<String> {
        let account = self.has_account.then(|| Field::Account.name().to_owned());
        let file = self.among.is_some().then(|| LEDGER_FILE.to_owned());
        account.into_iter().chain(file).chain(self.carried.names.iter().cloned()).collect()
    }

    /// How well these columns suit a ledger.
    pub(super) fn suitability(names: &[String], mapping: &Mapping) -> Suitability {
        let mapped = mapped_columns(names, mapping).map(|mapped| mapped.columns).unwrap_or_default();
        let fields: Vec<Field> = names.iter().filter_map(|name| Field::of_header(name)).collect();
        Suitability {
            has_call_id: mapped[Field::CallId as usize].is_some() || fields.contains(&Field::CallId),
            fields: fields.len() + mapped.iter().flatten().count(),
            columns: names.len(),
        }
    }

    /// Number of columns.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    /// The column of a field, from 0.
    pub(super) fn column(&self, field: Field) -> Option<usize> {
        self.columns[field as usize]
    }

    /// The columns in their order, and what each is used for.
    pub(super) fn uses(&self) -> Vec<Column> {
        let role = |at: usize| {
            let field = Field::all().find(|field| self.column(*field) == Some(at));
            let carried = || self.carried.columns.iter().position(|column| *column == Some(at));
            match (field, self.ignored == Some(at)) {
                (Some(field), _) => Role::Read(field.name()),
                (None, true) => Role::Ignored,
                (None, false) => match carried() {
                    Some(found) => Role::Carried(printable(&self.carried.names[found])),
                    None => Role::Ignored,
                },
            }
        };
        let column = |(at, name): (usize, &String)| Column { header: printable(name), role: role(at) };
        self.names.iter().enumerate().map(column).collect()
    }
}

/// The columns with a name of one field.
type Candidates = Vec<(Match, usize)>;

fn assign(
    names: &[String],
    mapping: &Mapping,
    has_account: bool,
) -> Result<(FieldColumns, Vec<ColumnNote>), HeaderError> {
    let account = |header: &str| (has_account && Field::is_account(header)).then_some(Field::Account);
    let Mapped { mut columns, unread } = mapped_columns(names, mapping)?;
    let mapped = columns;
    let mut candidates: [Candidates; FIELD_COUNT] = Default::default();
    for (at, header) in names.iter().enumerate() {
        let found = Field::matching(header).or_else(|| Some((account(header)?, Match::Exact)));
        let Some((field, found)) = found else { continue };
        let is_settled = mapped[field as usize].is_some() || unread[field as usize];
        if !is_settled && !mapped.contains(&Some(at)) {
            candidates[field as usize].push((found, at));
        }
    }
    let mut notes = Vec::new();
    for field in Field::all() {
        let (column, note) = choose(field, &candidates[field as usize], names)?;
        columns[field as usize] = columns[field as usize].or(column);
        notes.extend(note);
    }
    if columns[Field::CallId as usize].is_none() {
        return Err(HeaderError::NoCallId {
            columns: all_printable(names),
            similar: similar_to_call_id(names),
            looks_like_data: names.iter().any(|name| looks_like_data(name)),
        });
    }
    Ok((columns, notes))
}

/// The column of a field: that with the surest name. `None` if several have such a name.
///
/// # Errors
/// Several columns have names of version 0.1.
fn choose(
    field: Field,
    candidates: &Candidates,
    names: &[String],
) -> Result<(Option<usize>, Vec<ColumnNote>), HeaderError> {
    let Some(surest) = candidates.iter().map(|(found, _)| *found).min() else { return Ok((None, vec![])) };
    let best: Vec<usize> =
        candidates.iter().filter(|(found, _)| *found == surest).map(|(_, at)| *at).collect();
    let (name, header) = (field.name(), |at: usize| printable(&names[at]));
    match best.as_slice() {
        [one] => {
            let others = candidates.iter().map(|(_, at)| *at).filter(|at| at != one);
            let second = |at| ColumnNote::Second { field: name, header: header(at), read: header(*one) };
            Ok((Some(*one), others.map(second).collect()))
        }
        [one, other, ..] if surest == Match::Exact => Err(HeaderError::TwoColumns {
            field: name,
            headers: [header(*one), header(*other)],
            positions: [one + 1, other + 1],
        }),
        _ => {
            let headers = candidates.iter().map(|(_, at)| header(*at)).collect();
            Ok((None, vec![ColumnNote::Undecided { field: name, headers }]))
        }
    }
}

/// A note for each carried column whose header is similar to a field that no column holds.
fn similar_columns(
    names: &[String],
    rest: &[usize],
    columns: &FieldColumns,
    options: &Options,
) -> Vec<ColumnNote> {
    let is_given = |field: Field| match field {
        Field::ProdId => options.prod_id.is_some(),
        Field::QueryDate => columns[Field::CalledAt as usize].is_some() || options.call_date.is_some(),
        Field::Account => !options.has_account(),
        _ => false,
    };
    let is_unread = |field: Field| {
        options.map.iter().any(|(name, header)| header.is_empty() && Field::of_header(name) == Some(field))
    };
    let open: Vec<Field> = Field::all()
        .filter(|field| columns[*field as usize].is_none() && !is_given(*field) && !is_unread(*field))
        .collect();
    let note = |at: &usize| {
        // Two columns with the name of one field have their own note.
        if Field::of_header(&names[*at]).is_some() {
            return None;
        }
        if let Some(field) = Field::in_other_unit(&names[*at]).filter(|field| open.contains(field)) {
            return Some(ColumnNote::OtherUnit { header: printable(&names[*at]), field: field.name() });
        }
        let fields: Vec<_> = similar_fields(&names[*at], &open).into_iter().map(Field::name).collect();
        (!fields.is_empty()).then(|| ColumnNote::Similar { header: printable(&names[*at]), fields })
    };
    rest.iter().filter_map(note).collect()
}

/// What the mapping says.
struct Mapped {
    columns: FieldColumns,
    /// The fields that no column holds.
    unread: [bool; FIELD_COUNT],
}

fn mapped_columns(names: &[String], mapping: &Mapping) -> Result<Mapped, HeaderError> {
    let mut mapped = Mapped { columns: [None; FIELD_COUNT], unread: [false; FIELD_COUNT] };
    for (name, header) in mapping {
        let account = Field::is_account(name).then_some(Field::Account);
        let field = Field::of_header(name).or(account).ok_or_else(|| HeaderError::UnknownField {
            field: printable(name),
            nearest: nearest_name(name),
        })?;
        if header.is_empty() {
            mapped.unread[field as usize] = true;
            continue;
        }
        let at = find_column(names, header)?;
        if mapped.columns[field as usize].replace(at).is_some_and(|other| other != at) {
            return Err(HeaderError::MappedTwice { field: field.name() });
        }
    }
    Ok(mapped)
}

/// The only column with exactly this name; without one, the only column with the same normalized
/// name.
fn find_column(names: &[String], header: &str) -> Result<usize, HeaderError> {
    let positions = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        names.iter().enumerate().filter(|(_, name)| same(name)).map(|(at, _)| at).collect()
    };
    let mut found = positions(&|name| name.trim() == header.trim());
    if found.is_empty() {
        found = positions(&|name| normalized(name) == normalized(header));
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let nearest = names.iter().min_by_key(|name| distance(name, header));
            Err(HeaderError::UnknownColumn {
                header: printable(header),
                nearest: nearest.map(|name| printable(name)),
                columns: all_printable(names),
            })
        }
        [first, second, ..] => Err(HeaderError::AmbiguousColumn {
            header: printable(header),
            positions: [first + 1, second + 1],
        }),
    }
}

/// The headers most similar to a name of `call_id`: at most three, the most similar first.
fn similar_to_call_id(names: &[String]) -> Vec<String> {
    let length = |header: &str| normalized(header).chars().count();
    let nearest = |header: &str| {
        let similar = |known: &'static str| {
            let distance = distance(header, known);
            (distance * 2 <= length(known).max(length(header)) + 2).then_some(distance)
        };
        Field::CallId.known_headers().filter_map(similar).min()
    };
    let mut similar: Vec<(usize, String)> = names
        .iter()
        .filter(|header| Field::of_header(header).is_none_or(|field| field == Field::CallId))
        .filter_map(|header| nearest(header).map(|distance| (distance, printable(header))))
        .collect();
    similar.sort_by_key(|(distance, _)| *distance);
    similar.into_iter().take(3).map(|(_, header)| header).collect()
}

fn all_printable(names: &[String]) -> Vec<String> {
    names.iter().map(|name| printable(name)).collect()
}

/// The name of the field with the most similar name.
fn nearest_name(name: &str) -> &'static str {
    let near = Field::all().map(Field::name).min_by_key(|known| distance(known, name));
    near.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn read(header: &[&str], mapping: &[(&str, &str)]) -> Result<Header, LedgerError> {
        let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        let mapping: Vec<(String, String)> =
            mapping.iter().map(|(field, header)| ((*field).to_owned(), (*header).to_owned())).collect();
        Header::new(&names, &Options { map: mapping, ..Options::default() }, "calls.csv")
    }

    fn problem(header: &[&str], mapping: &[(&str, &str)]) -> HeaderError {
        match read(header, mapping) {
            Err(LedgerError::Header { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn case_spaces_underscores_and_dashes_do_not_matter() {
        for name in ["CallId", "call_id", "Call ID", " CALL-ID ", "call\u{3000}id", "呼叫 id", "ＣａｌｌＩｄ"]
        {
            assert_eq!(read(&["x", name], &[]).unwrap().column(Field::CallId), Some(1), "{name}");
        }
    }

    #[test]
    fn carried_columns_keep_their_order_and_never_share_a_name() {
        let header = read(&["Dept", "call_id", " cost centre ", "", "dept", "DEPT_2", "Line"], &[]).unwrap();
        let names =
            ["ledger_Dept", "ledger_cost centre", "ledger_column_4", "ledger_dept_3", "ledger_DEPT_2"];
        let carried = header.carried;
        assert_eq!(carried.names[..5], names);
        assert_eq!(carried.names[5], "ledger_Line_2");
        assert_eq!(carried.columns, [0, 2, 3, 4, 5, 6].map(Some));
        assert_eq!(carried.notes.len(), 2);
        assert!(carried.notes[0].to_string().contains("ledger_dept_3"), "{:?}", carried.notes);
    }

    #[test]
    fn two_columns_for_one_field_are_an_error() {
        let wanted = HeaderError::TwoColumns {
            field: "called_at",
            headers: ["created_at".to_owned(), "Called At".to_owned()],
            positions: [2, 3],
        };
        assert_eq!(problem(&["call_id", "created_at", "Called At"], &[]), wanted);
    }

    #[test]
    fn a_ledger_without_call_id_is_an_error() {
        let no_call_id = |columns: &[&str], similar: &[&str], looks_like_data| HeaderError::NoCallId {
            columns: owned(columns),
            similar: owned(similar),
            looks_like_data,
        };
        assert_eq!(problem(&["when", "who"], &[]), no_call_id(&["when", "who"], &[], false));
        let columns = ["when", "id", "cal_id"];
        assert_eq!(problem(&columns, &[]), no_call_id(&columns, &["cal_id", "id"], false));
        let masked = ["*************^*", "***********"];
        assert_eq!(problem(&["1671552000000^1", "13800001234"], &[]), no_call_id(&masked, &[], true));
    }

    #[test]
    fn a_mapped_column_wins_and_the_other_is_carried() {
        let header = read(&["call_id", "id", "created_at"], &[("call-id", "ID")]).unwrap();
        assert_eq!(header.column(Field::CallId), Some(1));
        assert_eq!(header.carried.names, ["ledger_call_id"]);
        let header = read(&["call_id", "created_at", "called_at"], &[("called_at", "created_at")]).unwrap();
        assert_eq!(header.column(Field::CalledAt), Some(1));
        assert_eq!(header.carried.names, ["ledger_called_at"]);
    }

    #[test]
    fn a_mapping_that_does_not_match_is_an_error() {
        let unknown = HeaderError::UnknownField { field: "calld".to_owned(), nearest: "call_id" };
        assert_eq!(problem(&["call_id"], &[("calld", "call_id")]), unknown);
        let columns = ["call_id", "Time", "who"];
        let unknown = HeaderError::UnknownColumn {
            header: "Tiem".to_owned(),
            nearest: Some("Time".to_owned()),
            columns: owned(&columns),
        };
        assert_eq!(problem(&columns, &[("called_at", "Tiem")]), unknown);
        let twice = HeaderError::MappedTwice { field: "caller" };
        assert_eq!(problem(&["call_id", "a", "b"], &[("caller", "a"), ("caller", "b")]), twice);
        let ambiguous = HeaderError::AmbiguousColumn { header: "a".to_owned(), positions: [2, 3] };
        assert_eq!(problem(&["call_id", "a", "a"], &[("caller", "a")]), ambiguous);
    }
    #[test]
    fn the_name_of_version_0_1_wins_over_a_synonym() {
        for (names, field, column) in [
            (["call_id", "start_time", "start_date"], Field::StartedAt, 2),
            (["call_id", "通话时长(秒)", "时长(秒)"], Field::DurationS, 1),
            (["call_id", "duration (s)", "duration"], Field::DurationS, 2),
            (["通话编号", "call_id", "呼叫编号"], Field::CallId, 1),
        ] {
            let header = read(&names, &[]).unwrap();
            assert_eq!(header.column(field), Some(column), "{names:?}");
            assert!(matches!(header.notes[0], ColumnNote::Second { .. }), "{:?}", header.notes);
        }
    }

    #[test]
    fn between_two_synonyms_nothing_is_guessed() {
        let header = read(&["call_id", "被叫", "CalledNumber"], &[]).unwrap();
        assert_eq!((header.column(Field::Callee), header.carried.columns), (None, vec![Some(1), Some(2)]));
        let undecided =
            ColumnNote::Undecided { field: "callee", headers: owned(&["被叫", "CalledNumber"]) };
        assert_eq!(header.notes, [undecided]);
        let similar = owned(&["通话编号", "呼叫编号"]);
        let columns = owned(&["通话编号", "呼叫编号"]);
        let wanted = HeaderError::NoCallId { columns, similar, looks_like_data: false };
        assert_eq!(problem(&["通话编号", "呼叫编号"], &[]), wanted);
    }

    #[test]
    fn a_similar_header_has_a_note_only_if_its_field_has_no_column() {
        let header = read(&["call_id", "calee", "status", "b_duration", "duration"], &[]).unwrap();
        let similar =
            |header: &str, field| ColumnNote::Similar { header: header.to_owned(), fields: vec![field] };
        assert_eq!(header.notes, [similar("calee", "callee"), similar("status", "state")]);
        assert_eq!(read(&["call_id", "calee"], &[("callee", "")]).unwrap().notes, []);
    }

    #[test]
    fn a_field_mapped_to_nothing_is_not_read() {
        let header = read(&["call_id", "产品"], &[("prod_id", "")]).unwrap();
        assert_eq!((header.column(Field::ProdId), header.carried.columns), (None, vec![Some(1)]));
    }

    #[test]
    fn the_reasons_of_earlier_rejects_are_ignored() {
        let header = read(&["call_id", "dept", "reconcile_reason"], &[]).unwrap();
        assert_eq!((header.ignored, header.carried.columns.clone()), (Some(2), vec![Some(1)]));
        let roles: Vec<Role> = header.uses().into_iter().map(|column| column.role).collect();
        assert_eq!(roles, [Role::Read("call_id"), Role::Carried("ledger_dept".to_owned()), Role::Ignored]);
    }
}
