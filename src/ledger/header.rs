//! Which column of the ledger is which field.
//!
//! Owns the contract's field names and aliases, `--map`, and the names of the columns carried through.
//! Promises that a field is never taken from a guessed column: what is ambiguous is an error that
//! names both. Errors show headers with their long digit runs masked, because the first row of a
//! file without a header is data.

use super::values::narrow;
use crate::error::{Error, Result};

/// A field of the ledger; the discriminant is its place in [`FIELDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    CallId,
    ProdId,
    CalledAt,
    QueryDate,
    Caller,
    Callee,
    CallerShowNumber,
    CalleeShowNumber,
    State,
    Answered,
    DurationS,
    StartedAt,
    EndedAt,
}

/// How many fields there are.
const COUNT: usize = 13;

/// Every field: its name in the contract, and the names it also answers to.
const FIELDS: [(&str, &[&str]); COUNT] = [
    ("call_id", &["呼叫ID", "通话ID"]),
    ("prod_id", &["product", "产品ID"]),
    ("called_at", &["gmt_create", "created_at", "呼叫时间"]),
    ("query_date", &["查询日期"]),
    ("caller", &["主叫号码"]),
    ("callee", &["被叫号码"]),
    ("caller_show_number", &["主叫显号"]),
    ("callee_show_number", &["被叫显号"]),
    ("state", &["通话状态"]),
    ("answered", &["是否接通"]),
    ("duration_s", &["duration", "通话时长"]),
    ("started_at", &["start_date", "开始时间"]),
    ("ended_at", &["end_date", "结束时间"]),
];

/// Names that the outputs use for columns of their own.
const RESERVED: [&str; 1] = ["ledger_line"];

impl Field {
    const ALL: [Self; COUNT] = [
        Self::CallId,
        Self::ProdId,
        Self::CalledAt,
        Self::QueryDate,
        Self::Caller,
        Self::Callee,
        Self::CallerShowNumber,
        Self::CalleeShowNumber,
        Self::State,
        Self::Answered,
        Self::DurationS,
        Self::StartedAt,
        Self::EndedAt,
    ];

    /// The field of that name in the contract.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The contract's name.
    pub(super) fn name(self) -> &'static str {
        FIELDS[self as usize].0
    }
}

/// The columns of one ledger.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// All columns as the header names them.
    pub(super) names: Vec<String>,
    /// The column of each field.
    columns: [Option<usize>; COUNT],
    /// The columns carried through, ascending.
    pub(super) carried_at: Vec<usize>,
    /// Their names in the outputs.
    pub(super) carried: Vec<String>,
    /// What deserves a line in the log.
    pub(super) notes: Vec<String>,
}

impl Header {
    /// Reads the header row of `source` with the `--map` options; see the contract's section 3.
    ///
    /// # Errors
    /// Wrong usage: no `call_id`, two columns for one field, a map that names nothing.
    pub(super) fn read(names: &[String], map: &[(String, String)], source: &str) -> Result<Self> {
        let mut columns = mapped(names, map, source)?;
        let explicit = columns;
        for (at, header) in names.iter().enumerate() {
            let Some(field) = field_index(header) else { continue };
            if explicit[field].is_some() || explicit.contains(&Some(at)) {
                continue;
            }
            if let Some(other) = columns[field].replace(at) {
                return Err(two_columns(names, field, other, at, source));
            }
        }
        if columns[Field::CallId as usize].is_none() {
            return Err(no_call_id(names, source));
        }
        let carried_at: Vec<usize> = (0..names.len()).filter(|at| !columns.contains(&Some(*at))).collect();
        let (carried, notes) = carried_names(names, &carried_at);
        Ok(Self { names: names.to_vec(), columns, carried_at, carried, notes })
    }

    /// How well these names serve as a header: whether there is a `call_id`, how many fields, how many columns.
    pub(super) fn fit(names: &[String], map: &[(String, String)]) -> (bool, usize, usize) {
        let mapped = mapped(names, map, "").unwrap_or_default();
        let fields: Vec<usize> = names.iter().filter_map(|name| field_index(name)).collect();
        let call_id = Field::CallId as usize;
        let named = mapped[call_id].is_some() || fields.contains(&call_id);
        (named, fields.len() + mapped.iter().flatten().count(), names.len())
    }

    /// How many columns there are.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    /// The column of a field, from 0.
    pub(super) fn column(&self, field: Field) -> Option<usize> {
        self.columns[field as usize]
    }
}

/// A header without what does not count: case, width, white space, `_` and `-`.
fn plain(header: &str) -> String {
    let counts = |c: &char| !c.is_whitespace() && !matches!(c, '_' | '-' | '\u{feff}');
    header.chars().map(narrow).filter(counts).flat_map(char::to_lowercase).collect()
}

fn field_index(header: &str) -> Option<usize> {
    let wanted = plain(header);
    let answers = |name: &&str| plain(name) == wanted;
    FIELDS.iter().position(|(name, aliases)| answers(name) || aliases.iter().any(answers))
}

fn mapped(names: &[String], map: &[(String, String)], source: &str) -> Result<[Option<usize>; COUNT]> {
    let mut columns = [None; COUNT];
    for (field, header) in map {
        let index = field_index(field).ok_or_else(|| unknown_field(field))?;
        let at = find_header(names, header, source)?;
        if columns[index].replace(at).is_some_and(|other| other != at) {
            return Err(Error::usage(format!("--map names two columns for `{}`", FIELDS[index].0))
                .hint("give --map once for each field"));
        }
    }
    Ok(columns)
}

/// The one column of that name: as written, or else in its plain form.
fn find_header(names: &[String], header: &str, source: &str) -> Result<usize> {
    let at = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        names.iter().enumerate().filter(|(_, name)| same(name)).map(|(at, _)| at).collect()
    };
    let mut found = at(&|name| name.trim() == header.trim());
    if found.is_empty() {
        found = at(&|name| plain(name) == plain(header));
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let what = format!("--map names the column `{}`, which {source} does not have", shown(header));
            let near = names.iter().min_by_key(|name| distance(&plain(name), &plain(header)));
            let near = near.map_or_else(String::new, |name| format!("the nearest is `{}`; ", shown(name)));
            Err(Error::usage(what).hint(format!("{near}its columns are: {}", list(names))))
        }
        [first, second, ..] => Err(Error::usage(format!(
            "--map names the column `{}`, which {source} has more than once: columns {} and {}",
            shown(header),
            first + 1,
            second + 1
        ))
        .hint("rename one of them in the ledger's header row")),
    }
}

fn unknown_field(field: &str) -> Error {
    let near = FIELDS.iter().map(|(name, _)| *name).min_by_key(|name| distance(&plain(name), &plain(field)));
    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    Error::usage(format!("--map names the field `{}`, which there is not", shown(field))).hint(format!(
        "did you mean `{}`? It is --map FIELD=HEADER, and the fields are: {}",
        near.unwrap_or_default(),
        names.join(", ")
    ))
}

fn two_columns(names: &[String], field: usize, first: usize, second: usize, source: &str) -> Error {
    let field = FIELDS[field].0;
    let (one, other) = (shown(&names[first]), shown(&names[second]));
    let what = format!(
        "{source} has two columns for `{field}`: `{one}` (column {}) and `{other}` (column {})",
        first + 1,
        second + 1
    );
    let choice = if names[first].trim() == names[second].trim() {
        "rename one of them in the ledger's header row".to_owned()
    } else {
        format!("choose with `--map {field}={one}` or `--map {field}={other}`; the other is carried through")
    };
    Error::usage(what).hint(format!("{choice}. Its columns are: {}", list(names)))
}

fn no_call_id(names: &[String], source: &str) -> Error {
    let near = near_call_id(names);
    let hint = if names.iter().any(|name| looks_like_data(name)) {
        "its first row looks like data: put a header row above it, with `call_id` over the CallIds".to_owned()
    } else if let Some(nearest) = near.first() {
        let all: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
        format!("the nearest to it: {}. If it is that column: --map 'call_id={nearest}'", all.join(", "))
    } else if names.len() == 1 {
        "if its columns are separated by something other than , ; | or tab, convert it; if it is the CallId: \
         --map call_id=HEADER"
            .to_owned()
    } else {
        "name the column that holds the CallId: --map call_id=HEADER".to_owned()
    };
    Error::usage(format!("{source} has no column `call_id`; its columns are: {}", list(names))).hint(hint)
}

/// The headers most like one of the names of `call_id`, at most three, the nearest first.
fn near_call_id(names: &[String]) -> Vec<String> {
    let (name, aliases) = FIELDS[Field::CallId as usize];
    let far = |header: &str| {
        let header = plain(header);
        let near = |known: &&str| {
            let (known, length) = (plain(known), header.chars().count());
            let far = distance(&header, &known);
            (far * 2 <= known.chars().count().max(length) + 2).then_some(far)
        };
        std::iter::once(&name).chain(aliases).filter_map(near).min()
    };
    let mut near: Vec<(usize, String)> = names
        .iter()
        .filter(|header| field_index(header).is_none())
        .filter_map(|header| far(header).map(|far| (far, shown(header))))
        .collect();
    near.sort_by_key(|(far, _)| *far);
    near.into_iter().take(3).map(|(_, header)| header).collect()
}

/// The output names of the carried columns, and a note for each that is not its header's.
fn carried_names(names: &[String], carried_at: &[usize]) -> (Vec<String>, Vec<String>) {
    // What each column would be called by itself. A later column never takes such a name by being
    // renamed, so `x, x, x_2` leaves `x_2` alone.
    let wish = |at: usize| match names[at].trim() {
        "" => format!("ledger_column_{}", at + 1),
        name => format!("ledger_{name}"),
    };
    let wishes: std::collections::HashSet<String> =
        carried_at.iter().map(|at| wish(*at).to_lowercase()).collect();
    let mut taken: std::collections::HashSet<String> = RESERVED.map(str::to_owned).into();
    let (mut carried, mut notes) = (Vec::new(), Vec::new());
    for at in carried_at {
        let wished = wish(*at);
        let mut name = wished.clone();
        if !taken.insert(name.to_lowercase()) {
            let free = |name: &String| !taken.contains(name) && !wishes.contains(name);
            let candidates = (2_u64..).map(|n| format!("{wished}_{n}"));
            name = candidates.into_iter().find(|name| free(&name.to_lowercase())).unwrap_or(wished);
            taken.insert(name.to_lowercase());
            notes.push(format!("column {} of the ledger is carried as `{}`", at + 1, shown(&name)));
        }
        carried.push(name);
    }
    (carried, notes)
}

/// Headers as an error shows them, the first thirty of them.
fn list(names: &[String]) -> String {
    let mut text: Vec<String> = names.iter().take(30).map(|name| format!("`{}`", shown(name))).collect();
    if names.len() > text.len() {
        text.push(format!("and {} more", names.len() - text.len()));
    }
    text.join(", ")
}

/// As many digits as a phone number are no header.
fn looks_like_data(header: &str) -> bool {
    header.chars().filter(|c| c.is_numeric()).count() >= 7
}

/// A header fit for a log: short, printable, and without anything that could be a phone number.
pub(super) fn shown(header: &str) -> String {
    let mask = looks_like_data(header);
    let fit = |c: char| match c {
        c if c.is_control() => '\u{fffd}',
        c if mask && c.is_numeric() => '*',
        c => c,
    };
    let header = header.trim();
    let mut text: String = header.chars().take(40).map(fit).collect();
    if header.chars().nth(40).is_some() {
        text.push('…');
    }
    text
}

/// The number of characters to insert, delete or change to make `one` of `other`.
fn distance(one: &str, other: &str) -> usize {
    // A header as long as a megabyte must not cost its square.
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::exit::Exit;

    fn read(header: &[&str], map: &[(&str, &str)]) -> Result<Header> {
        let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        let map: Vec<(String, String)> =
            map.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Header::read(&names, &map, "calls.csv")
    }

    fn refused(header: &[&str], map: &[(&str, &str)]) -> String {
        let error = read(header, map).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        format!("{}; {}", error.what, error.hint.unwrap())
    }

    #[test]
    fn every_name_and_alias_of_the_contract_is_known() {
        for (index, (name, aliases)) in FIELDS.iter().enumerate() {
            for name in std::iter::once(name).chain(aliases.iter()) {
                assert_eq!(field_index(name), Some(index), "{name}");
            }
        }
        assert_eq!(Field::EndedAt as usize + 1, COUNT);
        assert_eq!(Field::CalleeShowNumber.name(), "callee_show_number");
        assert_eq!(field_index("gmtCreate"), Some(Field::CalledAt as usize));
    }

    #[test]
    fn case_spaces_underscores_and_dashes_do_not_matter() {
        for name in ["CallId", "call_id", "Call ID", " CALL-ID ", "call\u{3000}id", "呼叫 id", "ＣａｌｌＩｄ"]
        {
            assert_eq!(read(&["x", name], &[]).unwrap().column(Field::CallId), Some(1), "{name}");
        }
    }

    #[test]
    fn unrecognized_columns_are_carried_in_order_and_never_share_a_name() {
        let header = read(&["Dept", "call_id", " cost centre ", "", "dept", "DEPT_2", "Line"], &[]).unwrap();
        let names =
            ["ledger_Dept", "ledger_cost centre", "ledger_column_4", "ledger_dept_3", "ledger_DEPT_2"];
        assert_eq!(header.carried[..5], names);
        assert_eq!(header.carried[5], "ledger_Line_2");
        assert_eq!(header.carried_at, [0, 2, 3, 4, 5, 6]);
        assert_eq!(header.notes.len(), 2);
        assert!(header.notes[0].contains("ledger_dept_3"), "{:?}", header.notes);
    }

    #[test]
    fn two_columns_for_one_field_are_refused_by_name() {
        let text = refused(&["call_id", "created_at", "Called At"], &[]);
        assert!(text.contains("`created_at`") && text.contains("`Called At`"), "{text}");
        assert!(text.contains("--map called_at=created_at"), "{text}");
    }

    #[test]
    fn a_ledger_without_call_id_is_refused_with_its_header_and_the_way_out() {
        let text = refused(&["when", "who"], &[]);
        assert!(text.contains("`when`, `who`") && text.contains("--map call_id=HEADER"), "{text}");
        let text = refused(&["when", "id", "cal_id"], &[]);
        assert!(text.contains("`cal_id`, `id`") && text.contains("--map 'call_id=cal_id'"), "{text}");
        let text = refused(&["1671552000000^1", "13800001234"], &[]);
        assert!(!text.contains("13800001234") && text.contains("header row"), "{text}");
    }

    #[test]
    fn an_explicit_map_wins_and_the_other_column_is_carried() {
        let header = read(&["call_id", "id", "created_at"], &[("call-id", "ID")]).unwrap();
        assert_eq!(header.column(Field::CallId), Some(1));
        assert_eq!(header.carried, ["ledger_call_id"]);
        let header = read(&["call_id", "created_at", "called_at"], &[("called_at", "created_at")]).unwrap();
        assert_eq!(header.column(Field::CalledAt), Some(1));
        assert_eq!(header.carried, ["ledger_called_at"]);
    }

    #[test]
    fn a_map_that_names_nothing_is_refused_with_what_there_is() {
        let text = refused(&["call_id"], &[("calld", "call_id")]);
        assert!(text.contains("did you mean `call_id`") && text.contains("ended_at"), "{text}");
        let text = refused(&["call_id", "Time", "who"], &[("called_at", "Tiem")]);
        assert!(text.contains("nearest is `Time`") && text.contains("`who`"), "{text}");
        let text = refused(&["call_id", "a", "b"], &[("caller", "a"), ("caller", "b")]);
        assert!(text.contains("two columns for `caller`"), "{text}");
        let text = refused(&["call_id", "a", "a"], &[("caller", "a")]);
        assert!(text.contains("more than once"), "{text}");
    }
}
