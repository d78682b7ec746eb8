//! The clocks: what the wall says, and a clock of the machine that no step of the wall clock moves.
//!
//! Within a process the cap runs on tokio's monotonic clock. Between processes it needs a clock that both can
//! read: the boot clock, which counts from the machine's start through suspension, together with the boot's id.

use chrono::{DateTime, Utc};

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock. It may step; it is for people and for comparing with the provider's times.
    pub wall: DateTime<Utc>,
    /// Microseconds since the machine was started.
    pub boot_us: i64,
}

/// Where moments come from; tests bring their own.
pub trait Clock: Send + Sync {
    /// Reads both clocks now.
    fn now(&self) -> Moment;
    /// Names the boot that `boot_us` counts from. Two readings compare only under the same name.
    fn boot_id(&self) -> &str;
    /// Whether `boot_us` really counts from the machine's start, and not from the process's.
    fn boot_us_is_uptime(&self) -> bool;
}

/// The machine's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    boot_id: String,
}

impl SystemClock {
    /// Looks up the boot's id. Where the system has none, every process is a boot of its own, which makes the
    /// cap wait out a whole window at each start: slower, never wrong.
    #[must_use]
    pub fn new() -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|id| id.trim().to_owned())
            .unwrap_or_else(|_| uuid::Uuid::new_v4().to_string());
        Self { boot_id }
    }
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

/// Elsewhere the boot's id is new in each process, so any monotonic origin serves.
#[cfg(not(target_os = "linux"))]
fn boot_us() -> i64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let elapsed = START.get_or_init(std::time::Instant::now).elapsed();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}
