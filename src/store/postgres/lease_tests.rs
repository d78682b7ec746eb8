//! Tests of leases in a real database: renewals, raises, and the wait for another run.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::database::Database as Writer;
use super::lease::LeaseTable;
use super::sessions::{self, Begun, NewSessions};
use super::settings::Settings;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use crate::stop::{Reason, Stop};
use crate::store::lease::{Change, Claim, Raised, Table as _};
use crate::store::test_database::Database;
use crate::store::*;

fn location(database: &Database) -> StoreLocation {
    StoreLocation::parse(database.url().as_ref())
}

fn settings(database: &Database) -> Settings {
    let StoreLocation::Database(url) = location(database) else { unreachable!() };
    Settings::of_process(&url).unwrap()
}

/// Begins a session whose lease nobody keeps. Its row has this beat.
fn begin(database: &Database, beat: i64) -> Claim {
    let clock = SystemClock::new();
    let new = NewSessions {
        identity: RunIdentity { input_sha256: "a".into(), refresh: false },
        destination: Destination { endpoint: None, timeout: Duration::from_secs(10) },
        caps: vec![AccountCap { account: None, rate: "100/min".parse().unwrap() }],
        host: "east".into(),
        boot_id: clock.boot_id().to_owned(),
        now: clock.now(),
        first_beat: beat,
    };
    let writer = Writer::new(Connection::open(&settings(database)).unwrap());
    let Begun::Sessions(scopes) = writer.write(move |t| sessions::begin(t, &new)).unwrap() else {
        unreachable!("nothing is in the way")
    };
    Claim { session_no: scopes[0].session_no, beat, places: 0 }
}

fn create(database: &Database) -> Arc<dyn Store> {
    open(&location(database), Origin::Provider, Arc::new(SystemClock::new())).unwrap()
}

#[tokio::test]
async fn new_places_rest_until_the_account_is_settled() {
    let Some(database) = Database::create() else { return };
    create(&database);
    let mut claim = begin(&database, 7);
    let mut table = LeaseTable::open(settings(&database), Arc::new(SystemClock::new())).unwrap();
    let renewed = table.renew(&[claim]).await.unwrap();
    assert_eq!(renewed.session_nos, [claim.session_no]);
    let stale = table.renew(&[claim]).await.unwrap();
    assert_eq!((stale.session_nos, &stale.timeline), (vec![], &renewed.timeline));
    // As if the database had failed over since the account was settled.
    database.execute("UPDATE reconcile.account SET timeline = '00000000'");
    claim.beat += 1;
    for places in [40, 70] {
        let raised = raise(&mut table, &mut claim, places).await;
        assert_eq!(raised.unsettled.as_ref(), Some(&renewed.timeline), "until somebody has waited");
        assert_eq!(raised.live[0].places, places, "only what it asked for");
    }
    table.settle(claim.session_no, &renewed.timeline).await.unwrap();
    assert_eq!(raise(&mut table, &mut claim, 100).await.unsettled, None);
}

/// Raises the session's places, and follows in the claim.
async fn raise(table: &mut LeaseTable, claim: &mut Claim, places: u32) -> Raised {
    let change = Change { from: *claim, places, wants: true };
    let raised = table.raise(&change, 100).await.unwrap().unwrap();
    *claim = Claim { beat: claim.beat + 1, places, ..*claim };
    raised
}

#[test]
fn a_signal_ends_the_wait_for_a_run_that_may_be_dead() {
    let Some(database) = Database::create() else { return };
    create(&database);
    begin(&database, 7);
    let stop = Stop::default();
    let clock = Arc::new(SystemClock::new());
    let store = open_or_wait(&location(&database), Origin::Provider, clock, None, &stop).unwrap();
    let identity = RunIdentity { input_sha256: "a".into(), refresh: false };
    stop.stop(Reason::Signal("SIGTERM"));
    let stopped =
        store.begin_session(&identity, "100/min".parse().unwrap(), Duration::from_secs(10)).unwrap_err();
    assert_eq!(stopped.exit, Exit::Incomplete);
    assert!(stopped.what.starts_with("stopped by SIGTERM while another run was in the way"), "{stopped}");
    assert_eq!(database.value("SELECT count(*) FROM reconcile.session"), "1", "it has begun nothing");
}
