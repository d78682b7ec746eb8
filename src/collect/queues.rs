//! Bounded queues of jobs, one for each account: from the thread that finds them to the fetch
//! stage.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::mpsc;

use crate::fetch::Job;
use crate::locked::lock;

/// Most jobs of all queues together.
const MOST_JOBS: usize = 20 * MOST_OF_SEVERAL;
/// Most jobs of one queue among several.
const MOST_OF_SEVERAL: usize = 4_096;
/// Fewest jobs of one queue among very many.
const FEWEST: usize = 64;
/// Jobs of the only queue. It is filled while it is emptied, so it needs no more.
const ONLY_QUEUE: usize = 256;

/// The most jobs of each queue, by the number of queues.
pub(super) const fn bound(queues: usize) -> usize {
    match queues {
        0 | 1 => ONLY_QUEUE,
        _ => {
            let share = MOST_JOBS / queues;
            if share > MOST_OF_SEVERAL {
                MOST_OF_SEVERAL
            } else if share < FEWEST {
                FEWEST
            } else {
                share
            }
        }
    }
}

/// Tells the thread that finds the jobs that one was taken, or that all have ended.
#[derive(Debug, Default)]
struct Taken {
    /// Guards no value: the queues' own counts are read while it is held.
    lock: Mutex<()>,
    changed: Condvar,
}

impl Taken {
    fn tell(&self) {
        let _held = lock(&self.lock);
        self.changed.notify_all();
    }
}

/// The ends of all queues that the jobs are put into.
pub(super) struct Queues {
    /// `None` once the account gets no more jobs.
    senders: Vec<Option<mpsc::Sender<Job>>>,
    /// Of each queue: whether all its jobs were put into it.
    complete: Vec<Arc<AtomicBool>>,
    /// Of each queue: jobs that were put into it and have not ended.
    unended: Vec<Arc<AtomicUsize>>,
    bound: usize,
    taken: Arc<Taken>,
}

/// The end of one queue that the jobs are taken from.
pub(super) struct JobQueue {
    receiver: mpsc::Receiver<Job>,
    taken: Arc<Taken>,
    is_complete: Arc<AtomicBool>,
    unended: Arc<AtomicUsize>,
}

/// Tells the thread that finds the jobs of one queue which of them have ended.
pub(super) struct EndedJobs {
    unended: Arc<AtomicUsize>,
    taken: Arc<Taken>,
}

impl EndedJobs {
    /// One more job that was taken from the queue has ended.
    pub(super) fn one_more(&self) {
        if self.unended.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.taken.tell();
        }
    }
}

/// This number of empty queues.
pub(super) fn queues(number: usize) -> (Queues, Vec<JobQueue>) {
    let (bound, taken) = (bound(number), Arc::<Taken>::default());
    let (mut senders, mut receivers) = (Vec::new(), Vec::new());
    let (mut complete, mut unended) = (Vec::new(), Vec::new());
    for _ in 0..number {
        let (sender, receiver) = mpsc::channel(bound);
        senders.push(Some(sender));
        let is_complete = Arc::<AtomicBool>::default();
        complete.push(is_complete.clone());
        let of_queue = Arc::<AtomicUsize>::default();
        unended.push(of_queue.clone());
        receivers.push(JobQueue { receiver, taken: taken.clone(), is_complete, unended: of_queue });
    }
    (Queues { senders, complete, unended, bound, taken }, receivers)
}

impl JobQueue {
    /// The next job; `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<Job> {
        let job = self.receiver.recv().await;
        self.taken.tell();
        job
    }

    /// True once all jobs of the account were put into the queue.
    pub(super) fn completeness(&self) -> Arc<AtomicBool> {
        self.is_complete.clone()
    }

    /// Tells of the jobs that have ended.
    pub(super) fn ended_jobs(&self) -> EndedJobs {
        EndedJobs { unended: self.unended.clone(), taken: self.taken.clone() }
    }
}

impl Drop for JobQueue {
    fn drop(&mut self) {
        self.receiver.close();
        self.taken.tell();
    }
}

impl Queues {
    /// Puts a job into a queue. Returns false if the queue is full or closed.
    pub(super) fn put(&self, queue: usize, job: &mut Option<Job>) -> bool {
        let Some(sender) = &self.senders[queue] else { return false };
        match sender.try_reserve() {
            Ok(room) => {
                if let Some(job) = job.take() {
                    // Before it can end.
                    self.unended[queue].fetch_add(1, Ordering::SeqCst);
                    room.send(job);
                }
                true
            }
            Err(_) => false,
        }
    }

    /// True if at most a quarter of the queue is left, and it gets more jobs.
    pub(super) fn is_hungry(&self, queue: usize) -> bool {
        let sender = self.senders[queue].as_ref();
        sender.is_some_and(|sender| self.bound - sender.capacity() <= self.bound / 4)
    }

    /// True if it has no room.
    pub(super) fn is_full(&self, queue: usize) -> bool {
        self.senders[queue].as_ref().is_some_and(|sender| sender.capacity() == 0)
    }

    /// True if all jobs that were put into it have ended.
    pub(super) fn is_ended(&self, queue: usize) -> bool {
        self.unended[queue].load(Ordering::SeqCst) == 0
    }

    /// True if nobody takes jobs from it any more.
    pub(super) fn is_abandoned(&self, queue: usize) -> bool {
        self.senders[queue].as_ref().is_none_or(mpsc::Sender::is_closed)
    }

    /// The queue has got all its jobs.
    pub(super) fn complete(&mut self, queue: usize) {
        self.complete[queue].store(true, Ordering::SeqCst);
        self.close(queue);
    }

    /// The queue gets no more jobs.
    pub(super) fn close(&mut self, queue: usize) {
        self.senders[queue] = None;
    }

    /// Waits until `is_reached`, which is asked again whenever a job was taken, and when all jobs
    /// of a queue have ended.
    pub(super) fn wait_until(&self, is_reached: impl Fn(&Self) -> bool) {
        let mut held = lock(&self.taken.lock);
        while !is_reached(self) {
            held = self.taken.changed.wait(held).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queues_of_any_number_of_accounts_are_bounded() {
        assert_eq!([1, 2, 20, 100, 1_000].map(bound), [256, 4_096, 4_096, 819, 81]);
        for accounts in 1..1_280 {
            assert!(accounts * bound(accounts) <= MOST_JOBS, "{accounts}");
        }
        assert_eq!(bound(100_000), FEWEST);
    }
}
