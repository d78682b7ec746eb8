//! Snapshots: texts kept word for word in `tests/snapshots`. `INSTA_UPDATE=always cargo test`
//! rewrites them.

/// Asserts that the text equals the snapshot of this name.
#[track_caller]
pub fn shows(name: &str, text: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    insta::with_settings!({ snapshot_path => folder, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}
