//! Catches the panics of a foreign reader, which a damaged file may cause.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// The result of `work`; `None` if it panicked. The panic prints nothing.
///
/// What `work` has changed must not be used after a panic.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
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
    done.ok()
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
}
