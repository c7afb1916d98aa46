-- The tables of `closewatch report`, as views. Each takes the time from which on, and that before which, records count, and a regular
-- expression that finds the routes ('' for all):
--
--     SELECT * FROM closewatch.endings(from = '2026-11-20T12:00:00Z', to = '2026-11-21T12:00:00Z', routes = '')

-- The records that count.
CREATE OR REPLACE VIEW closewatch.chosen AS
SELECT *, client_ip
FROM closewatch.records
WHERE ended_at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
  AND ended_at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
  AND match(route, {routes:String});

CREATE OR REPLACE VIEW closewatch.sessions AS
SELECT * FROM closewatch.chosen(from = {from:String}, to = {to:String}, routes = {routes:String}) WHERE event = 'websocket.closed';

-- Endings by class, code, cause, initiator and route.
CREATE OR REPLACE VIEW closewatch.endings AS
SELECT class, code, initiator, cause, route, count() AS sessions
FROM closewatch.sessions(from = {from:String}, to = {to:String}, routes = {routes:String})
GROUP BY class, code, initiator, cause, route
ORDER BY sessions DESC, class, code, initiator, cause, route;

-- Sessions by length (`lifetime`) and by silence before the end (`idle`), in the report's bars: above the edge before, up to `up_to_s`;
-- the last has no upper edge.
CREATE OR REPLACE VIEW closewatch.bars AS
WITH [0.1, 0.3, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400]::Array(Float64) AS edges
SELECT
    time.1 AS of,
    arrayCount(edge -> edge < time.2 / 1000, edges) AS number,
    if(number < length(edges), edges[number + 1]::Nullable(Float64), NULL) AS up_to_s,
    count() AS sessions
FROM closewatch.sessions(from = {from:String}, to = {to:String}, routes = {routes:String})
ARRAY JOIN [('lifetime', duration_ms), ('idle', idle_ms)] AS time
GROUP BY of, number
ORDER BY of, number;

-- Quantiles of the same, in seconds, to 1 %.
CREATE OR REPLACE VIEW closewatch.quantiles AS
SELECT
    time.1 AS of,
    quantilesDD(0.01, 0.5, 0.9, 0.99)(time.2 / 1000) AS found,
    found[1] AS p50,
    found[2] AS p90,
    found[3] AS p99
FROM closewatch.sessions(from = {from:String}, to = {to:String}, routes = {routes:String})
ARRAY JOIN [('lifetime', duration_ms), ('idle', idle_ms)] AS time
GROUP BY of
ORDER BY of;

-- The minutes in which most sessions ended.
CREATE OR REPLACE VIEW closewatch.busiest AS
SELECT toStartOfMinute(ended_at) AS at, count() AS ends, countIf(class = 'abnormal') AS abnormal
FROM closewatch.sessions(from = {from:String}, to = {to:String}, routes = {routes:String})
GROUP BY at
ORDER BY ends DESC, abnormal DESC, at
LIMIT 10;

-- Clients, upstreams and instances with most abnormal ends.
CREATE OR REPLACE VIEW closewatch.clients AS
SELECT
    if(client_ip = toIPv6('::'), 'unknown', replaceRegexpOne(toString(client_ip), '^::ffff:', '')) AS name,
    count() AS sessions,
    countIf(class = 'abnormal') AS abnormal,
    abnormal / sessions AS share
FROM closewatch.sessions(from = {from:String}, to = {to:String}, routes = {routes:String})
GROUP BY client_ip
ORDER BY abnormal DESC, sessions DESC, client_ip
LIMIT 20;

CREATE OR REPLACE VIEW closewatch.upstreams AS
SELECT upstream_address AS name, count() AS sessions, countIf(class = 'abnormal') AS abnormal, abnormal / sessions AS share
FROM closewatch.sessions(from = {from:String}, to = {to:String}, routes = {routes:String})
GROUP BY name
ORDER BY abnormal DESC, sessions DESC, name
LIMIT 20;

CREATE OR REPLACE VIEW closewatch.instances AS
SELECT instance AS name, count() AS sessions, countIf(class = 'abnormal') AS abnormal, abnormal / sessions AS share
FROM closewatch.sessions(from = {from:String}, to = {to:String}, routes = {routes:String})
GROUP BY name
ORDER BY abnormal DESC, sessions DESC, name
LIMIT 20;

-- Sessions of which the two sides saw different codes.
CREATE OR REPLACE VIEW closewatch.mismatches AS
SELECT client_saw_code AS client_saw, upstream_saw_code AS upstream_saw, count() AS sessions
FROM closewatch.sessions(from = {from:String}, to = {to:String}, routes = {routes:String})
WHERE client_saw != upstream_saw
GROUP BY client_saw, upstream_saw
ORDER BY sessions DESC, client_saw, upstream_saw;

-- Failed handshakes by outcome, status and route.
CREATE OR REPLACE VIEW closewatch.handshake_failures AS
SELECT outcome, status, route, count() AS handshakes
FROM closewatch.chosen(from = {from:String}, to = {to:String}, routes = {routes:String})
WHERE event = 'websocket.handshake_failed'
GROUP BY outcome, status, route
ORDER BY handshakes DESC, outcome, status, route;

-- All records with the client behind them: the trusted address of a hop's client, what an untrusted hop says of it, or the socket's.
CREATE OR REPLACE VIEW closewatch.visits AS
WITH
    ip_of_peer(client_real_address) AS real,
    replaceRegexpOne(trim(splitByRegexp('[,;]', request_forwarded_for)[1]), '(?i)^for=', '') AS said,
    ip_of_peer(trim(BOTH '"' FROM said)) AS forwarded
SELECT
    event, class, route,
    multiIf(real != toIPv6('::'), real, forwarded != toIPv6('::'), forwarded, ip_of_peer(client_address)) AS client,
    request_user_agent AS user_agent,
    toUnixTimestamp64Micro(ended_at) AS ended_us,
    ended_us - toInt64(round(duration_ms * 1000)) AS opened_us
FROM closewatch.chosen(from = {from:String}, to = {to:String}, routes = {routes:String});

-- Clients, as an address and a program, by how many sessions they had open at once. An attempt lasts 0.1 s.
CREATE OR REPLACE VIEW closewatch.crowds AS
SELECT client, user_agent, max(open) AS at_once
FROM
(
    SELECT client, user_agent, sum(step) OVER (PARTITION BY client, user_agent ORDER BY at, step ROWS UNBOUNDED PRECEDING) AS open
    FROM
    (
        SELECT client, user_agent, move.1 AS at, move.2 AS step
        FROM closewatch.visits(from = {from:String}, to = {to:String}, routes = {routes:String})
        ARRAY JOIN [(opened_us, 1), (if(event = 'websocket.closed', ended_us, ended_us + 100000), -1)] AS move
    )
)
GROUP BY client, user_agent;

-- Whether clients opened another session of the route within an hour, by how the one before ended. Addresses with five sessions or more
-- at once are left out: their clients cannot be told apart.
CREATE OR REPLACE VIEW closewatch.reconnects AS
WITH
    single AS
    (
        SELECT client, user_agent
        FROM closewatch.crowds(from = {from:String}, to = {to:String}, routes = {routes:String})
        WHERE at_once < 5
    ),
    known AS
    (
        SELECT class, route, client, user_agent, opened_us, ended_us
        FROM closewatch.visits(from = {from:String}, to = {to:String}, routes = {routes:String})
        WHERE event = 'websocket.closed' AND (client, user_agent) IN single
    )
SELECT
    before.class AS class,
    count() AS ended,
    countIf(after.opened_us > 0 AND after.opened_us - before.ended_us <= 3600000000) AS came_back,
    if(came_back = 0, NULL, quantileExactHighIf(0.5)((after.opened_us - before.ended_us) / 1000000,
        after.opened_us > 0 AND after.opened_us - before.ended_us <= 3600000000)) AS median_s
FROM known AS before
ASOF LEFT JOIN known AS after
    ON before.client = after.client AND before.user_agent = after.user_agent AND before.route = after.route
    AND before.ended_us <= after.opened_us
GROUP BY class
ORDER BY class;
