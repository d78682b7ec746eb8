//! Catches the panics of foreign code: of a reader, which a damaged file may cause, and of a writer
//! that panics if the disk is full.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// The result of `work`; `None` if it panicked. The panic prints nothing.
///
/// What `work` has changed must not be used after a panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    caught_with_words(work).ok()
}

/// As [`caught`], with the words of the panic as the error.
pub(crate) fn caught_with_words<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                print(panic);
            }
        }));
    });
    let was_caught = IS_CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(was_caught);
    done.map_err(|panic| words(&*panic))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let fixed = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    fixed.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[test]
    fn a_panic_is_caught_also_inside_another() {
        assert_eq!(caught(|| 1), Some(1));
        assert_eq!(caught(|| (caught(|| panic!("inner")), caught(|| 2))), Some((None::<()>, Some(2))));
        assert_eq!(caught(|| panic!("outer")), None::<()>);
    }

    #[test]
    fn the_words_of_a_panic_are_kept() {
        assert_eq!(caught_with_words(|| panic!("fixed")), Err::<(), _>("fixed".into()));
        let number = 28;
        assert_eq!(caught_with_words(|| panic!("made {number}")), Err::<(), _>("made 28".into()));
    }
}
