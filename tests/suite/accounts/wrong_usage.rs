//! Accounts files and options that are refused before anything is sent.

use super::{Company, in_turn};
use crate::support::Bench;

#[test]
fn a_wrong_accounts_file_is_refused_with_its_line() {
    let company = Company::new(&in_turn(2, 2), 2, "100/s", "");
    for (text, words) in [
        ("", "accounts.toml: it has no account"),
        ("[team-00]\n", "accounts.toml:1: the account `team-00` has no profile"),
        ("[a]\nprofile = \"team-00\"\n[a]\n", "accounts.toml:3: duplicate key"),
        ("[a]\nprofile = \"x\"\nburst = 3\n", "unknown key `burst`"),
        ("[\"13812345678\"]\nprofile = \"x\"\n", "`138****5678` needs"),
        (
            "[team-00]\nprofile = \"none\"\n[team-01]\nprofile = \"team-01\"\n",
            "the account `team-00`: the profile `none` was not found",
        ),
    ] {
        company.bench.write("accounts.toml", text);
        company.run(&[]).exits(2).says(words).says("nothing was sent");
    }
    std::fs::remove_file(company.bench.path("accounts.toml")).unwrap();
    company.run(&[]).exits(2).says("the accounts file accounts.toml cannot be read");
    assert_eq!(company.server.page("stats")["requests"], 0);
}

#[test]
fn both_options_about_accounts_exclude_each_other() {
    let company = Company::new(&in_turn(2, 2), 2, "100/s", "");
    company.run(&["--account", "team-00"]).exits(2).says("cannot be used with");
    let both = "account = \"x\"\naccounts = \"accounts.toml\"\n";
    company.bench.write("both.toml", both);
    let run = company.bench.run(&["--config", "both.toml", "--sandbox"]);
    run.exits(2).says("excludes");
    // A flag overrides the file.
    company.bench.write("one.toml", "accounts = \"nowhere.toml\"\n");
    company.bench.run(&["--config", "one.toml", "--sandbox", "--account", "x"]).exits(0);
}

#[test]
fn the_accounts_file_is_never_overwritten() {
    let company = Company::new(&in_turn(2, 2), 2, "100/s", "");
    let before = std::fs::read(company.bench.path("accounts.toml")).unwrap();
    for option in ["--out", "--report", "--store", "--summary"] {
        company.run(&[option, "accounts.toml"]).exits(2).says("the accounts file");
    }
    assert_eq!(std::fs::read(company.bench.path("accounts.toml")).unwrap(), before);
}

#[test]
fn a_ledger_of_unknown_accounts_is_refused() {
    let company = Company::new(&in_turn(3, 20), 2, "100/s", "");
    company.run(&[]).exits(2).says("not an account of the accounts file");
    company.bench.write("calls.csv", &in_turn(2, 20).replace("account", "team"));
    company.run(&[]).exits(2).says("the row has no account");
    assert_eq!(company.server.page("stats")["requests"], 0);
}

#[test]
fn a_name_of_an_account_is_checked() {
    let bench = Bench::new(&in_turn(1, 1));
    bench.run(&["--account", " x"]).exits(2).says("--account needs 1 to 64 bytes");
    bench.run(&["--account", "x\ty"]).exits(2).says("--account needs 1 to 64 bytes");
    assert_eq!(bench.provider.seen(), 0);
}
