# The commands of daily work. `just` lists them; each also works when typed by hand.

_list:
    @just --list --unsorted

# A backend, clients that end in every way, and closewatch between them
demo:
    cargo run --locked -- demo

# closewatch in front of a backend of your own, from flags
run upstream *flags:
    cargo run --locked -- --upstream {{ upstream }} {{ flags }}

# Errors of the compiler alone, for while you type
check:
    cargo check --all-targets --locked

# Everything that must hold before a commit and takes seconds
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Formats the code
fmt:
    cargo fmt
    cargo fmt --manifest-path benches/load/Cargo.toml
    cargo fmt --manifest-path fuzz/Cargo.toml

# Unit tests whose names contain FILTER: `just unit close::tests::verdicts`
unit filter='':
    cargo test --locked --lib {{ filter }}

# Integration tests whose names contain FILTER: `just it endings::closes`
it filter='':
    cargo test --locked --test it -- {{ filter }}

# All tests, and everything that they need; arguments go to `cargo test`
test *args:
    tests/run {{ args }}

# Documents against code: every field, metric, key, flag and endpoint
docs:
    cargo test --locked --test it -- docs

# Dashboards, rules, manifests, charts and units
deploy:
    dashboards/check --quick
    deploy/prometheus/check
    deploy/check

# Everything that a release consists of, into target/dist
dist *target:
    deploy/dist {{ target }}

# The pages of docs/ as a site, into target/book
book:
    docs/build

# Figures beside nginx and HAProxy; `just bench --quick`, `just bench --also before=PATH`
bench *args:
    benches/run {{ args }}

# Coverage-guided fuzzing: `just fuzz 60 tap`
fuzz *args:
    fuzz/run {{ args }}

# The whole gate, as the forge runs it
ci:
    .ci/run
