//! `reconcile explain`: everything that the store knows of one call, or of all calls of a
//! discrepancy file.
//!
//! Phone numbers are printed in full, as in the data files, unless the options mask them: they are
//! the requested data.

mod answers;
mod explanation;
mod from_file;
mod ledger_rows;
mod row;

use std::path::Path;

use super::answer::{answer, next_answer, open_store};
use crate::cli::ExplainArgs;
use crate::console::messages;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::store::{KnownCall, Origin, Reader};
use crate::words::plural;
use explanation::{Context, Explanation};
use from_file::{CallOfFile, CallsOfFile, NO_PRODUCT};
use ledger_rows::LedgerRows;

/// Prints every request, the answer and the discrepancies of a call, or of each call of a file.
///
/// # Errors
///
/// Exit 2 when there is no store, it does not know the call, or a file cannot be read; exit 6 when
/// the store cannot be read.
pub fn explain(args: &ExplainArgs) -> Result<Exit> {
    let (mask, note) = args.mask()?;
    if let Some(note) = note {
        messages::say(&format!("warning: {note}"));
    }
    let reader = open_store(&args.store.location())?;
    let is_real = reader.origin()? == Origin::Provider;
    let context = Context { endpoint: is_real.then(|| args.endpoint.clone()), rules: args.rules(), mask };
    match (&args.call_id, &args.from) {
        (Some(call_id), _) => explain_one(call_id, args, reader.as_ref(), &context),
        (None, Some(from)) => explain_all(from, args, reader.as_ref(), &context),
        (None, None) => Err(Error::usage("neither a CallId nor a discrepancy file is given")
            .hint("give a CallId, or name a discrepancy file with --from")),
    }?;
    Ok(Exit::Success)
}

fn explain_one(call_id: &str, args: &ExplainArgs, reader: &dyn Reader, context: &Context) -> Result<()> {
    let known = reader.calls_named(call_id)?;
    if known.is_empty() {
        return Err(unknown(call_id, reader, args));
    }
    let rows = LedgerRows::of_call(call_id, args.input.as_deref(), args.ledger())?;
    let explained = known.iter().map(|call| Explanation::new(call, &rows, context).masked(&context.mask));
    let explained: Vec<Explanation> = explained.collect();
    answer(args.json, &explained, || explained.iter().flat_map(Explanation::lines).collect())
}

fn unknown(call_id: &str, reader: &dyn Reader, args: &ExplainArgs) -> Error {
    let similar = reader.similar_call_ids(call_id).unwrap_or_default();
    let hint = match similar.len() {
        0 => "no run has asked for it; put quotes around an id with a ^".to_owned(),
        _ => format!("similar ids in the store: {}; put quotes around an id with a ^", similar.join(", ")),
    };
    Error::usage(format!("the store {} does not know the call {call_id}", args.store.location())).hint(hint)
}

/// Prints each call of the file: as JSON, one line each.
fn explain_all(from: &Path, args: &ExplainArgs, reader: &dyn Reader, context: &Context) -> Result<()> {
    let calls = CallsOfFile::read(from)?;
    let (mut known, mut unknown) = (0, 0);
    calls.for_each(&mut |call| {
        let is_missing = call.is_missing_in_ledger();
        let explained = explain_call(call, reader, context)?;
        // No run asks for a call that its ledger lacks.
        *(if explained.in_store || is_missing { &mut known } else { &mut unknown }) += 1;
        next_answer(args.json, &explained, || {
            let mut lines = explained.lines();
            if known + unknown > 1 {
                lines.insert(0, String::new());
            }
            lines
        })
    })?;
    if known == 0 && unknown > 0 {
        return Err(Error::usage(format!(
            "the store {} knows none of the {} of {}",
            args.store.location(),
            plural(unknown, "call"),
            from.display()
        ))
        .hint("name the store of that run with --store"));
    }
    for (rows, what) in [
        (unknown, "call of the file is not in the store"),
        (calls.without_call, "row of the file names no call, because the ledger's row cannot be used"),
    ] {
        if rows > 0 {
            messages::say(&format!("note: {}", noted(rows, what)));
        }
    }
    Ok(())
}

/// The words with their number, in the plural where needed.
fn noted(n: u64, what: &str) -> String {
    let (noun, rest) = what.split_once(' ').unwrap_or((what, ""));
    let rest = if n == 1 {
        rest.to_owned()
    } else {
        rest.replacen(" is not", " are not", 1).replacen(" names", " name", 1)
    };
    format!("{} {rest}", plural(n, noun))
}

fn explain_call(call: CallOfFile, reader: &dyn Reader, context: &Context) -> Result<Explanation> {
    let CallOfFile { key, account, rows } = call;
    // The file has the day on which the call was found; the store also knows it by the ledger's.
    let is_it = |known: &KnownCall| {
        let found = known.stored.answer.as_ref().map(|stored| stored.answer.found_date);
        known.key.prod_id == key.prod_id && (known.key.day == key.day || found == Some(key.day))
    };
    let product = Some(key.prod_id.0).filter(|_| key.prod_id != NO_PRODUCT);
    let known = reader.calls_named(&key.call_id)?;
    let exact = known.iter().find(|known| known.key == key);
    let explained = match exact.or_else(|| known.iter().find(|known| is_it(known))) {
        Some(known) => Explanation::new(known, &LedgerRows::default(), context),
        None => Explanation::unknown((key.call_id, product, key.day.to_string()), context),
    };
    Ok(explained.with_rows(rows, account).masked(&context.mask))
}
