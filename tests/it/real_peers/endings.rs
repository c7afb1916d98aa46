//! The ways in which a session is made to end, what everybody must make of each, and what is known to differ.

use super::stacks::Stack;

/// One way to end a session.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) id: &'static str,
    /// The path asked of the server: what it does on `go`.
    pub(super) path: &'static str,
    /// The client's part.
    pub(super) action: &'static [&'static str],
    between: Between,
    /// The code that both libraries report and the record has. 1006 comes without, all others with a complete handshake.
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) initiator: &'static str,
    /// Any of them: how the kernel ends the connections of a process that is killed depends on what was unread.
    pub(super) causes: &'static [&'static str],
    pub(super) class: &'static str,
}

/// The stacks that an ending is for.
#[derive(Debug)]
enum Between {
    /// All clients, all servers.
    All,
    /// A page's script can neither drop nor reset its connection.
    LibraryClients,
    /// Only a browser has tabs.
    Browsers,
    /// With `ws`, what an application's handler throws ends the process.
    PythonServers,
}

/// Something that closewatch is known to show differently, and why that is right.
pub(super) struct Deviation {
    /// As a failing test prints it: `client/server/ending: what`.
    pub(super) id: &'static str,
    pub(super) reason: &'static str,
}

/// The known differences. A test fails if a difference is not listed, and if a listed one does not show.
pub(super) const DEVIATIONS: &[Deviation] = &[];

/// All of them. The one that kills the server is the last.
pub(super) const ENDINGS: &[Ending] = &[
    Ending {
        id: "client_closes_normally",
        path: "/echo",
        action: &["close", "1000", "bye"],
        between: Between::All,
        code: 1000,
        reason: "bye",
        initiator: "client",
        causes: &["close_handshake"],
        class: "clean",
    },
    Ending {
        id: "client_closes_with_an_application_code",
        path: "/echo",
        action: &["close", "4401", "token expired"],
        between: Between::All,
        code: 4401,
        reason: "token expired",
        initiator: "client",
        causes: &["close_handshake"],
        class: "application",
    },
    Ending {
        id: "client_closes_without_a_code",
        path: "/echo",
        action: &["close-empty"],
        between: Between::All,
        code: 1005,
        reason: "",
        initiator: "client",
        causes: &["close_handshake"],
        class: "clean",
    },
    Ending {
        id: "client_terminates",
        path: "/echo",
        action: &["terminate"],
        between: Between::LibraryClients,
        code: 1006,
        reason: "",
        initiator: "client",
        causes: &["client_eof"],
        class: "abnormal",
    },
    Ending {
        id: "client_resets",
        path: "/echo",
        action: &["reset"],
        between: Between::LibraryClients,
        code: 1006,
        reason: "",
        initiator: "client",
        causes: &["client_reset"],
        class: "abnormal",
    },
    Ending {
        id: "tab_is_closed",
        path: "/echo",
        action: &["close-tab"],
        between: Between::Browsers,
        code: 1001,
        reason: "",
        initiator: "client",
        causes: &["close_handshake"],
        class: "clean",
    },
    Ending {
        id: "tab_goes_to_another_page",
        path: "/echo",
        action: &["navigate"],
        between: Between::Browsers,
        code: 1001,
        reason: "",
        initiator: "client",
        causes: &["close_handshake"],
        class: "clean",
    },
    Ending {
        id: "browser_is_killed",
        path: "/echo",
        action: &["kill"],
        between: Between::Browsers,
        code: 1006,
        reason: "",
        initiator: "client",
        causes: &["client_eof", "client_reset"],
        class: "abnormal",
    },
    Ending {
        id: "server_closes_normally",
        path: "/close/1000/bye",
        action: &["wait"],
        between: Between::All,
        code: 1000,
        reason: "bye",
        initiator: "upstream",
        causes: &["close_handshake"],
        class: "clean",
    },
    Ending {
        id: "server_goes_away",
        path: "/close/1001/deploy",
        action: &["wait"],
        between: Between::All,
        code: 1001,
        reason: "deploy",
        initiator: "upstream",
        causes: &["close_handshake"],
        class: "planned",
    },
    Ending {
        id: "server_closes_with_an_application_code",
        path: "/close/4401/token%20expired",
        action: &["wait"],
        between: Between::All,
        code: 4401,
        reason: "token expired",
        initiator: "upstream",
        causes: &["close_handshake"],
        class: "application",
    },
    Ending {
        id: "server_closes_without_a_code",
        path: "/close-empty",
        action: &["wait"],
        between: Between::All,
        code: 1005,
        reason: "",
        initiator: "upstream",
        causes: &["close_handshake"],
        class: "clean",
    },
    Ending {
        id: "server_handler_fails",
        path: "/exception",
        action: &["wait"],
        between: Between::PythonServers,
        code: 1011,
        reason: "",
        initiator: "upstream",
        causes: &["close_handshake"],
        class: "abnormal",
    },
    Ending {
        id: "server_terminates",
        path: "/terminate",
        action: &["wait"],
        between: Between::All,
        code: 1006,
        reason: "",
        initiator: "upstream",
        causes: &["upstream_eof"],
        class: "abnormal",
    },
    Ending {
        id: "server_resets",
        path: "/reset",
        action: &["wait"],
        between: Between::All,
        code: 1006,
        reason: "",
        initiator: "upstream",
        causes: &["upstream_reset"],
        class: "abnormal",
    },
    Ending {
        id: "server_is_killed",
        path: "/exit",
        action: &["wait"],
        between: Between::All,
        code: 1006,
        reason: "",
        initiator: "upstream",
        causes: &["upstream_eof", "upstream_reset"],
        class: "abnormal",
    },
];

// === impl Ending ===

impl Ending {
    /// Those that this client and this server can come to.
    pub(super) fn between(client: Stack, server: Stack) -> impl Iterator<Item = &'static Self> {
        ENDINGS.iter().filter(move |ending| match ending.between {
            Between::All => true,
            Between::LibraryClients => client != Stack::Browser,
            Between::Browsers => client == Stack::Browser,
            Between::PythonServers => server == Stack::Python,
        })
    }

    pub(super) fn is_clean(&self) -> bool {
        self.code != 1006
    }

    pub(super) fn kills_the_server(&self) -> bool {
        self.path == "/exit"
    }
}
