//! Work side by side: parts that do not depend on each other, on as many threads as the caller allows.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The number of threads that may work at once. What comes out is the same with any number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cores(usize);

// === impl Cores ===

impl Cores {
    /// The caller's own thread, and no other.
    pub(super) const ONE: Self = Self(1);

    pub(super) const fn new(threads: usize) -> Self {
        Self(threads)
    }

    /// The work of each part, in the order of the parts.
    pub(super) fn map<T: Sync, R: Send>(self, parts: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let threads = self.0.min(parts.len());
        if threads <= 1 {
            return parts.iter().map(work).collect();
        }
        let next = AtomicUsize::new(0);
        let some = || {
            let mut done = vec![];
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(part) = parts.get(at) else { return done };
                done.push((at, work(part)));
            }
        };
        let mut done = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(some)).collect();
            let mut done = some();
            for other in others {
                done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            done
        });
        done.sort_unstable_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    }

    /// The work of both.
    pub(super) fn both<A: Send, B>(self, one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
        if self.0 <= 1 {
            return (one(), other());
        }
        thread::scope(|scope| {
            let one = scope.spawn(one);
            let other = other();
            (one.join().unwrap_or_else(|panic| resume_unwind(panic)), other)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_those_of_one_thread_in_the_order_of_the_parts() {
        let parts: Vec<u64> = (0..1000).collect();
        let squares: Vec<u64> = parts.iter().map(|part| part * part).collect();
        for threads in 1..5 {
            let cores = Cores::new(threads);
            assert_eq!(cores.map(&parts, |part| part * part), squares);
            assert!(cores.map(&parts[..0], |part| part * part).is_empty());
            assert_eq!(cores.both(|| parts[3], || squares[3]), (3, 9));
        }
    }

    #[test]
    #[should_panic(expected = "a part that fails")]
    fn the_panic_of_a_part_is_the_callers() {
        Cores::new(2).map(&[1, 2, 3], |part| assert!(*part != 2, "a part that fails"));
    }
}
