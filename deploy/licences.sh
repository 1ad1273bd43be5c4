#!/bin/sh
# Collects the licences of the crates that the binary of the image is linked with, which has no `demo`: `index.txt` names
# each crate with its licence, and each crate has a folder with the texts that its package carries. Needs cargo and the
# downloaded packages of a build.
#   deploy/licences.sh FOLDER
set -eu
out=${1:?usage: deploy/licences.sh FOLDER}
mkdir -p "$out"
cargo tree --locked --package kube-job-collector --no-default-features --edges normal --prefix none --no-dedupe \
    --format '{p} | {l} | {r}' |
    grep -v ' (' | sort -u >"$out/index.txt"
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
cut -d ' ' -f 1,2 "$out/index.txt" | sort -u | while read -r name version; do
    for package in "$registry"/*/"$name-${version#v}"; do
        for text in "$package"/LICEN[CS]E* "$package"/COPYING* "$package"/NOTICE* "$package"/UNLICENSE*; do
            [ -f "$text" ] || continue
            mkdir -p "$out/$name-${version#v}"
            cp "$text" "$out/$name-${version#v}/"
        done
    done
done
