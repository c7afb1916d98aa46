//! The scenes: every way in which a session ends, or does not begin.

use std::time::Duration;

/// Approximate length of a scene.
pub(super) const LENGTH: Duration = Duration::from_millis(1500);

/// Idle limit of the balancer: so short that diagnosis finds it in half a minute.
pub(super) const BALANCER_LIMIT: Duration = Duration::from_secs(3);

/// One way to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// The path that the client asks for, behind its route: the backend knows its part by it.
    pub(super) path: &'static str,
    /// How often it is played, against the others.
    pub(super) weight: u8,
    /// The peer that acts, and its action; the other peer plays along.
    pub(super) act: Act,
}

/// The event of a scene.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// The client does it.
    Client(Deed),
    /// The backend does it.
    Backend(Deed),
    /// The backend pings, the client has fallen silent, the backend gives up.
    ClientVanishes,
    /// A balancer between client and closewatch cuts the session, when it has been silent for [`BALANCER_LIMIT`].
    Cut,
    /// Nobody says anything, until closewatch's idle limit of the route.
    Idle,
    /// The backend refuses the upgrade.
    Refuse(u16),
    /// The backend's 101 bears a wrong accept key.
    BadSwitch,
    /// The backend hangs up instead of answering.
    HangUp,
    /// No route takes the path.
    NoRoute,
}

/// How a peer ends a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    /// A Close with a code and a reason.
    Close(u16, &'static str),
    /// A Close without a code, as a browser's `close()` sends it.
    CloseEmpty,
    /// FIN without a Close.
    Leave,
    /// RST.
    Reset,
    /// A frame that the protocol forbids.
    Break,
}

const fn scene(path: &'static str, weight: u8, act: Act) -> Scene {
    Scene { path, weight, act }
}

/// All scenes. Ordinary ends are the most frequent, as in production.
pub(super) const SCENES: &[Scene] = &[
    scene("/chat/done", 8, Act::Client(Deed::Close(1000, "done"))),
    scene("/chat/close-without-code", 5, Act::Client(Deed::CloseEmpty)),
    scene("/chat/tab-closed", 5, Act::Client(Deed::Close(1001, ""))),
    scene("/feed/finished", 3, Act::Backend(Deed::Close(1000, "end of feed"))),
    scene("/feed/going-away", 2, Act::Backend(Deed::Close(1001, "moving"))),
    scene("/feed/restart", 2, Act::Backend(Deed::Close(1012, "service restart"))),
    scene("/feed/overload", 1, Act::Backend(Deed::Close(1013, "try again later"))),
    scene("/feed/idle", 1, Act::Idle),
    scene("/feed/behind-a-balancer", 16, Act::Cut),
    scene("/chat/exception", 2, Act::Backend(Deed::Close(1011, "unhandled exception"))),
    scene("/chat/too-big", 1, Act::Backend(Deed::Close(1009, "message too big"))),
    scene("/chat/policy", 1, Act::Backend(Deed::Close(1008, "rate limit"))),
    scene("/chat/protocol-error", 1, Act::Client(Deed::Break)),
    scene("/graphql/unauthorized", 2, Act::Backend(Deed::Close(4401, "Unauthorized"))),
    scene("/graphql/init-timeout", 1, Act::Backend(Deed::Close(4408, "Connection initialisation timeout"))),
    scene("/graphql/server-error", 1, Act::Backend(Deed::Close(4500, "Internal server error"))),
    scene("/chat/kicked", 1, Act::Backend(Deed::Close(4000, "kicked"))),
    scene("/chat/forbidden", 1, Act::Backend(Deed::Close(3003, "forbidden"))),
    scene("/chat/phone-asleep", 3, Act::Client(Deed::Leave)),
    scene("/chat/client-reset", 1, Act::Client(Deed::Reset)),
    scene("/chat/client-vanished", 1, Act::ClientVanishes),
    scene("/chat/backend-crash", 2, Act::Backend(Deed::Reset)),
    scene("/chat/backend-leaves", 1, Act::Backend(Deed::Leave)),
    scene("/chat/refused", 1, Act::Refuse(403)),
    scene("/chat/unavailable", 1, Act::Refuse(503)),
    scene("/chat/bad-switch", 1, Act::BadSwitch),
    scene("/chat/hang-up", 1, Act::HangUp),
    scene("/nowhere", 1, Act::NoRoute),
];
