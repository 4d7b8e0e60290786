-- The store in SQLite, schema version 1. Read by store_sqlite.c, which replaces @usage by
-- one "name INTEGER NOT NULL DEFAULT 0," a row of common/usage_fields.def. A new row there
-- becomes a new column at the next start; any other change is a migration step.
--
-- Times are Unix seconds, UTC. STRICT: a sum that outgrows 63 bits is an error, never a
-- rounded float.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What calls have in common; never changed, never deleted.
CREATE TABLE series (
    id          INTEGER PRIMARY KEY,
    app         TEXT NOT NULL,
    environment TEXT NOT NULL,
    provider    TEXT NOT NULL,
    model       TEXT NOT NULL,
    surface     TEXT NOT NULL,
    tier        TEXT NOT NULL,
    region      TEXT NOT NULL,
    scope       TEXT NOT NULL,    -- keyed fingerprint of the API key
    seen        TEXT NOT NULL,    -- log, capture
    outcome     TEXT NOT NULL,
    quality     TEXT NOT NULL,    -- exact, estimated, missing
    context     INTEGER NOT NULL, -- bucket of the call's whole input
    UNIQUE (app, environment, provider, model, surface, tier, region, scope, seen, outcome,
            quality, context)
) STRICT;

-- Who says so. An agent that lost its spool starts a new epoch.
CREATE TABLE source (
    id    INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    UNIQUE (agent, epoch)
) STRICT;

-- Absolute totals: of one (hour, series, source) the highest ver wins.
CREATE TABLE usage_hour (
    hour   INTEGER NOT NULL,
    series INTEGER NOT NULL,
    source INTEGER NOT NULL,
    ver    INTEGER NOT NULL,
    calls  INTEGER NOT NULL,
    @usage
    peak_calls  INTEGER NOT NULL, -- of the busiest minute
    peak_tokens INTEGER NOT NULL,
    duration    TEXT NOT NULL,    -- common/sketch.h
    ttft        TEXT NOT NULL,
    PRIMARY KEY (hour, series, source)
) STRICT, WITHOUT ROWID;

-- Sums of usage_hour over hours and sources, kept in the same transaction, for ever.
CREATE TABLE usage_day (
    day    INTEGER NOT NULL,
    series INTEGER NOT NULL,
    calls  INTEGER NOT NULL,
    @usage
    peak_calls  INTEGER NOT NULL,
    peak_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, series)
) STRICT, WITHOUT ROWID;

CREATE TABLE agent (
    name       TEXT PRIMARY KEY,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    skew_ms    INTEGER NOT NULL, -- the agent's clock minus ours
    version    TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    batches    INTEGER NOT NULL,
    rows       INTEGER NOT NULL,
    newer_kept INTEGER NOT NULL,
    refused    INTEGER NOT NULL,
    health     TEXT NOT NULL     -- JSON object of numbers, as sent
) STRICT, WITHOUT ROWID;

-- Results and states as JSON: projections by workload, alerts by rule and key.
CREATE TABLE record (
    kind TEXT NOT NULL,
    key  TEXT NOT NULL,
    at   INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (kind, key, at)
) STRICT, WITHOUT ROWID;
