//! The clocks: the wall clock, and the boot clock. Steps of the wall clock do not move the boot
//! clock.
//!
//! Within a process the cap uses Tokio's monotonic clock. Between processes it needs a clock that
//! both can read. That is the boot clock: it counts from the start of the machine, even while the
//! machine is suspended. Its times are valid only together with the boot's id.

use chrono::{DateTime, Utc};

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock, for people and for comparison with the provider's times. It may step.
    pub wall: DateTime<Utc>,
    /// The boot clock: microseconds since the start of the machine.
    pub boot_us: i64,
}

/// Reads the clocks. Tests implement their own.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn now(&self) -> Moment;
    /// The id of the boot that `boot_us` counts from. Compare only readings with the same id.
    fn boot_id(&self) -> &str;
    /// True if `boot_us` counts from the start of the machine, false if from the start of the
    /// process.
    fn boot_us_is_uptime(&self) -> bool;
}

/// The machine's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    boot_id: String,
}

impl SystemClock {
    /// Reads the boot's id.
    ///
    /// On systems without a boot id, every process gets its own. The cap then waits a whole window
    /// at each start: slower, but never wrong.
    ///
    /// In a time namespace the boot clock has an offset. Its times cannot be compared with those
    /// outside, so the offset is part of the id.
    #[must_use]
    pub fn new() -> Self {
        let read = |path: &str| std::fs::read_to_string(path);
        let boot_id = read("/proc/sys/kernel/random/boot_id")
            .map(|id| id.trim().to_owned())
            .unwrap_or_else(|_| uuid::Uuid::new_v4().to_string());
        let offset = read("/proc/self/timens_offsets").ok().and_then(|text| boot_offset(&text));
        Self {
            boot_id: match offset {
                Some(offset) => format!("{boot_id}+{offset}"),
                None => boot_id,
            },
        }
    }
}

/// The offset of the boot clock in this time namespace, such as `864000.000000000`; `None` if there
/// is none. `text` has a line for each clock: its name, seconds, nanoseconds.
fn boot_offset(text: &str) -> Option<String> {
    let mut columns = text.lines().find_map(|line| line.strip_prefix("boottime"))?.split_whitespace();
    let (seconds, nanoseconds) = (columns.next()?, columns.next()?);
    (seconds != "0" || nanoseconds != "0").then(|| format!("{seconds}.{nanoseconds:0>9}"))
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment { wall: Utc::now(), boot_us: boot_us() }
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn boot_us_is_uptime(&self) -> bool {
        cfg!(target_os = "linux")
    }
}

#[cfg(target_os = "linux")]
fn boot_us() -> i64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    t.tv_sec * 1_000_000 + t.tv_nsec / 1_000
}

/// On other systems each process has its own boot id, so the clock may start with the process.
#[cfg(not(target_os = "linux"))]
fn boot_us() -> i64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let elapsed = START.get_or_init(std::time::Instant::now).elapsed();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_of_the_boot_clock_is_part_of_its_id() {
        let offsets = |boot: &str| boot_offset(&format!("monotonic  0 0\nboottime  {boot}\n"));
        assert_eq!(offsets("0         0"), None);
        assert_eq!(offsets("864000         0"), Some("864000.000000000".into()));
        assert_eq!(offsets("-1     500"), Some("-1.000000500".into()));
        assert_eq!(boot_offset(""), None);
    }
}
