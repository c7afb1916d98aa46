//! Returns: clients that open a session again after the end of one, as sessions open and end.

use foldhash::{HashMap, HashMapExt as _};

use crate::close::Class;

/// An opening later than this is another visit.
const VISIT: f64 = 3600.0;
/// So many sessions at once are no single client's.
const CROWD: u32 = 5;
/// A return within this time is at once.
const AT_ONCE: f64 = 1.0;
/// A session that was shorter failed, as far as back-off goes.
const FAILED: f64 = 10.0;
/// So many returns at once in a row are no chance.
const ROW: u8 = 3;
/// Shortest wait that 1012 asks for (IANA: a random delay of 5 to 30 s); 1013 asks for no less.
const ASKED: f64 = 5.0;
/// How often clients that are long gone are looked for.
const SELDOM: f64 = 60.0;

/// The end of a session, while its client may come back. `T` is the caller's own note.
#[derive(Clone, Debug)]
pub struct Left<T> {
    /// When it ended.
    pub at: f64,
    /// How long it had lasted.
    pub lasted: f64,
    /// Class of the end.
    pub class: Class,
    /// Code of the end.
    pub code: Option<u16>,
    /// The caller's note.
    pub note: T,
}

/// A client that came back.
#[derive(Clone, Debug)]
pub struct Return<T> {
    /// The end before.
    pub left: Left<T>,
    /// Time from that end to the opening.
    pub after: f64,
    /// The third or a later return at once in a row, each after a session of seconds.
    pub without_back_off: bool,
}

/// A code that asks clients to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// 1012, a restart.
    Restart,
    /// 1013, an overload.
    Later,
}

/// The clients of the last hour, by a key that tells them apart. Bounded: beyond the limit, those that were not heard of for
/// longest are forgotten.
#[derive(Clone, Debug)]
pub struct Returns<T> {
    limit: usize,
    recent: HashMap<u64, Client<T>>,
    older: HashMap<u64, Client<T>>,
    forgot_at: f64,
}

#[derive(Clone, Debug)]
struct Client<T> {
    open: u32,
    /// It had many sessions at once: an address that several clients share.
    is_crowd: bool,
    in_a_row: u8,
    /// The last opening that followed no end that is known.
    opened_at: Option<f64>,
    /// Ends that no opening has followed yet, the oldest first.
    left: Vec<Left<T>>,
}

// === impl Return ===

impl<T> Return<T> {
    /// The advice that the end bore, and whether the client came back sooner.
    pub fn advice(&self) -> Option<(Advice, bool)> {
        Advice::of(self.left.code).map(|advice| (advice, self.after < ASKED))
    }
}

impl Advice {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Restart, Self::Later];

    /// Its code.
    pub const fn code(self) -> u16 {
        match self {
            Self::Restart => 1012,
            Self::Later => 1013,
        }
    }

    fn of(code: Option<u16>) -> Option<Self> {
        Self::ALL.into_iter().find(|advice| Some(advice.code()) == code)
    }
}

// === impl Returns ===

impl<T> Returns<T> {
    /// Remembers so many clients at most.
    pub fn new(limit: usize) -> Self {
        Self { limit, recent: HashMap::new(), older: HashMap::new(), forgot_at: f64::NEG_INFINITY }
    }

    /// A client opened a session at this instant.
    pub fn opened(&mut self, client: u64, at: f64) -> Option<Return<T>> {
        let client = self.client(client);
        client.open += 1;
        if client.open >= CROWD {
            client.is_crowd = true;
            client.left.clear();
        }
        let before = client.left.iter().position(|left| left.at <= at);
        let Some(before) = before.filter(|_| !client.is_crowd) else {
            client.opened_at = Some(at);
            return None;
        };
        let left = client.left.remove(before);
        client.returned(left, at)
    }

    /// A session of a client ended. An opening may have come before: a record is filed when both legs are down.
    pub fn ended(&mut self, client: u64, left: Left<T>) -> Option<Return<T>> {
        let client = self.client(client);
        client.open = client.open.saturating_sub(1);
        if client.is_crowd {
            return None;
        }
        if let Some(at) = client.opened_at.filter(|at| *at > left.at) {
            client.opened_at = None;
            return client.returned(left, at);
        }
        client.left.push(left);
        // Its openings were forgotten, and it has many.
        client.is_crowd = client.left.len() >= CROWD as usize;
        None
    }

    /// Hands over the ends whose clients did not come back in time. Looks once a minute, whenever it is called.
    pub fn forget(&mut self, now: f64, mut gone: impl FnMut(Left<T>)) {
        if now - self.forgot_at < SELDOM {
            return;
        }
        self.forgot_at = now;
        for clients in [&mut self.recent, &mut self.older] {
            clients.retain(|_, client| {
                let is_over = |left: &mut Left<T>| now - left.at > VISIT;
                client.left.extract_if(.., is_over).for_each(&mut gone);
                let is_fresh = client.opened_at.is_some_and(|at| now - at <= VISIT);
                client.open > 0 || is_fresh || !client.left.is_empty()
            });
        }
    }

    /// Whether nobody is waited for.
    pub fn is_idle(&self) -> bool {
        self.recent.is_empty() && self.older.is_empty()
    }

    fn client(&mut self, key: u64) -> &mut Client<T> {
        if !self.recent.contains_key(&key) {
            if self.recent.len() >= self.limit / 2 {
                self.older = std::mem::take(&mut self.recent);
            }
            let known = self.older.remove(&key).unwrap_or_default();
            self.recent.insert(key, known);
        }
        self.recent.entry(key).or_default()
    }
}

// === impl Client ===

impl<T> Default for Client<T> {
    fn default() -> Self {
        Self { open: 0, is_crowd: false, in_a_row: 0, opened_at: None, left: Vec::new() }
    }
}

impl<T> Client<T> {
    fn returned(&mut self, left: Left<T>, at: f64) -> Option<Return<T>> {
        let after = at - left.at;
        let at_once = after < AT_ONCE && left.lasted < FAILED;
        self.in_a_row = if at_once { self.in_a_row.saturating_add(1) } else { 0 };
        (after <= VISIT).then_some(Return { left, after, without_back_off: self.in_a_row >= ROW })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(at: f64, lasted: f64, code: u16) -> Left<()> {
        Left { at, lasted, class: Class::Abnormal, code: Some(code), note: () }
    }

    #[test]
    fn an_opening_follows_the_oldest_end_of_its_own_client() {
        let mut returns = Returns::new(100);
        assert!(
            returns.opened(1, 0.0).is_none() && returns.opened(1, 1.0).is_none() && returns.opened(2, 2.0).is_none()
        );
        assert!(returns.ended(1, left(10.0, 10.0, 1006)).is_none());
        assert!(returns.ended(1, left(11.0, 10.0, 1006)).is_none());
        assert!(returns.opened(2, 12.0).is_none(), "another client");
        let after: Vec<_> = [13.0, 14.0].map(|at| returns.opened(1, at).unwrap().after).into();
        assert_eq!(after, [3.0, 3.0]);
        assert!(returns.opened(1, 15.0).is_none(), "both ends are answered");
    }

    #[test]
    fn an_end_that_is_filed_behind_the_opening_is_the_same_return() {
        let mut returns = Returns::new(100);
        returns.opened(1, 0.0);
        assert!(returns.opened(1, 12.5).is_none());
        assert_eq!(returns.ended(1, left(10.0, 10.0, 1006)).map(|back| back.after), Some(2.5));
        assert!(returns.ended(1, left(13.0, 0.5, 1000)).is_none(), "its own opening is no return");
    }

    #[test]
    fn a_session_of_no_length_is_no_return_to_itself() {
        let mut returns = Returns::new(100);
        returns.opened(1, 5.0);
        assert!(returns.ended(1, left(5.0, 0.0, 1000)).is_none());
    }

    #[test]
    fn many_sessions_at_once_are_many_clients() {
        let mut returns = Returns::new(100);
        for at in 0..5 {
            assert!(returns.opened(1, f64::from(at)).is_none());
        }
        assert!(returns.ended(1, left(10.0, 10.0, 1006)).is_none());
        assert!(returns.opened(1, 11.0).is_none());
        let mut gone = 0;
        returns.forget(1e6, |_| gone += 1);
        assert_eq!(gone, 0, "of a crowd nobody can say who came back");
    }

    #[test]
    fn who_stays_away_for_an_hour_never_returned() {
        let mut returns = Returns::new(100);
        returns.opened(1, 0.0);
        returns.ended(1, left(10.0, 10.0, 1006));
        let mut gone = vec![];
        for now in [20.0, 3610.0, 3611.0, 3680.0, 3800.0] {
            returns.forget(now, |left| gone.push((now, left.at)));
        }
        assert_eq!(gone, [(3680.0, 10.0)], "said once, at the first look that is not too soon");
        assert!(returns.is_idle() && returns.opened(1, 4000.0).is_none());
    }

    #[test]
    fn three_returns_at_once_in_a_row_are_without_back_off() {
        let mut returns = Returns::new(100);
        let mut now = 0.0;
        let mut round = |wait: f64, lasts: f64| {
            now += wait;
            let back = returns.opened(1, now).is_some_and(|back| back.without_back_off);
            now += lasts;
            returns.ended(1, left(now, lasts, 1006));
            back
        };
        assert_eq!([0.0, 0.2, 0.2, 0.2, 0.2].map(|wait| round(wait, 2.0)), [false, false, false, true, true]);
        assert_eq!(
            [4.0, 0.2, 0.2, 0.2].map(|wait| round(wait, 2.0)),
            [false, false, false, true],
            "a pause ends the row"
        );
        assert_eq!(
            [0.2, 0.2, 0.2].map(|wait| round(wait, 60.0)),
            [true, false, false],
            "sessions of a minute are well"
        );
    }

    #[test]
    fn a_restart_asks_for_five_seconds() {
        for (code, wait, expected) in [
            (1012, 4.9, Some((Advice::Restart, true))),
            (1012, 5.0, Some((Advice::Restart, false))),
            (1013, 1.0, Some((Advice::Later, true))),
            (1006, 1.0, None),
        ] {
            let mut returns = Returns::new(100);
            returns.opened(1, 0.0);
            returns.ended(1, left(10.0, 10.0, code));
            assert_eq!(returns.opened(1, 10.0 + wait).unwrap().advice(), expected, "{code} {wait}");
        }
    }

    #[test]
    fn no_number_of_clients_takes_more_than_the_limit() {
        let mut returns = Returns::new(1000);
        for client in 0..100_000_u64 {
            returns.opened(client, client as f64 / 1e3);
            returns.ended(client, left(client as f64 / 1e3 + 0.5, 0.5, 1006));
            assert!(returns.recent.len() + returns.older.len() <= 1000);
        }
        assert!(returns.opened(99_999, 101.0).is_some(), "the latest are known");
        assert!(returns.opened(1, 101.0).is_none(), "the first are not");
    }
}
