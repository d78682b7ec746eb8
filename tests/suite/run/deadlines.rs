//! The deadline in the nights in which the clock changes. A time that the night skips is reached at
//! the first moment after it; of a time that the night has twice, the first one ahead counts.

use chrono::{NaiveDateTime, NaiveTime};
use reconcile::fetch::deadline::Deadline;
use reconcile::zone::Zone;

/// Zone, now in UTC, the deadline, and the minutes from now to it.
const CASES: [(&str, &str, &str, u64); 18] = [
    // 02:00 to 03:00 is skipped.
    ("America/New_York", "2026-03-08T05:00", "02:30", 120),
    ("America/New_York", "2026-03-08T05:00", "02:00", 120),
    ("America/New_York", "2026-03-08T05:00", "03:00", 120),
    ("America/New_York", "2026-03-08T05:00", "01:59", 119),
    ("America/New_York", "2026-03-08T05:00", "03:01", 121),
    ("America/New_York", "2026-03-08T07:10", "02:30", 23 * 60 + 20),
    // 01:00 to 02:00 comes twice.
    ("America/New_York", "2026-11-01T04:00", "01:30", 90),
    ("America/New_York", "2026-11-01T05:45", "01:30", 45),
    ("America/New_York", "2026-11-01T06:45", "01:30", 23 * 60 + 45),
    ("America/New_York", "2026-11-01T04:00", "02:00", 180),
    ("Europe/Berlin", "2026-03-28T23:00", "02:30", 120),
    ("Europe/Berlin", "2026-10-24T22:00", "02:30", 150),
    ("Europe/Berlin", "2026-10-25T00:40", "02:30", 50),
    // The clock changes by 30 minutes.
    ("Australia/Lord_Howe", "2026-10-03T13:30", "02:15", 120),
    ("Australia/Lord_Howe", "2026-04-04T13:00", "01:45", 105),
    ("Australia/Lord_Howe", "2026-04-04T14:50", "01:45", 25),
    // A whole day is skipped.
    ("Pacific/Apia", "2011-12-30T09:00", "06:00", 60),
    ("Asia/Shanghai", "2026-03-08T15:30", "07:00", 450),
];

#[test]
fn a_deadline_is_right_in_nights_with_a_clock_change() {
    for (name, now, deadline, minutes) in CASES {
        let zone = Zone::parse(name).unwrap();
        let utc = NaiveDateTime::parse_from_str(now, "%Y-%m-%dT%H:%M").unwrap().and_utc();
        let time = NaiveTime::parse_from_str(deadline, "%H:%M").unwrap();
        let deadlines = Deadline::all(Some(time), None, utc, zone).unwrap();
        assert_eq!(deadlines[0].after_start.as_secs(), minutes * 60, "{name} {now} {deadline}");
    }
}
