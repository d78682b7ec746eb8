//! What a failover of the database may lose.

use postgres::Client;

use super::errors::Done;
use crate::store::store_note::StoreNote;

/// A note if the server has standbys, but a commit waits for none of them.
pub(super) fn note(c: &mut Client) -> Done<Option<StoreNote>> {
    let row = c.query_one(
        "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup')
            AND (current_setting('synchronous_standby_names') = ''
                 OR current_setting('synchronous_commit') IN ('off', 'local'))",
        &[],
    )?;
    Ok(row.try_get::<_, bool>(0)?.then_some(StoreNote::NoSynchronousStandby))
}
