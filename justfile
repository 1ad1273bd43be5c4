# `just` lists the recipes. The checks are those of .ci/run, so that every way to call them runs the same commands.

[private]
default:
    @just --list

# All checks that a change must pass.
check:
    .ci/run

# Format all Rust code.
format:
    cargo fmt --all

# Lints, without tests.
lint:
    .ci/run format lint

# Tests of the workspace, or of one crate: `just test -p otlp-exporter`.
test *ARGS="--workspace":
    cargo test --locked {{ ARGS }}

# The pages of docs/ against the code.
docs:
    cargo test --locked --package kube-job-collector --test docs

# Once and never twice, under faults, at full size.
conservation:
    .ci/run conservation

# Licences, duplicates, advisories and sources of dependencies (needs cargo-deny).
dependencies:
    .ci/run dependencies

# Misspelled words (needs typos).
spelling:
    .ci/run spelling

# Failing Jobs on a simulated cluster, and what the collector reports.
demo:
    cargo run --release --locked -- demo

# The benchmarks of docs/benchmarks.md, or one of them: `just bench judge`.
bench NAME="":
    cargo bench --locked {{ if NAME == "" { "" } else { "--bench " + NAME } }}

# One fuzz target of docs/fuzzing.md (needs cargo-fuzz and a C++ compiler).
fuzz TARGET SECONDS="60":
    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none {{ TARGET }} -- -max_total_time={{ SECONDS }}

# A static binary for a release, with licences and checksum (needs musl-tools).
package TARGET="x86_64-unknown-linux-musl":
    .ci/package {{ TARGET }}

# The container image.
image NAME="kube-job-collector:dev":
    docker build --file deploy/Dockerfile --tag {{ NAME }} .

# A Job that exceeds its deadline, on the cluster of the current context (needs kubectl).
cluster:
    .ci/cluster
