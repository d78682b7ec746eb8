#!/usr/bin/env bash
# Builds the Debian package: the release binary, and from it completions and manual pages. Needs cargo-deb
# (`cargo install --locked cargo-deb`). The package's path is the last line of its output.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release
binary=target/release/reconcile
made=target/package-files
rm -rf "$made"
mkdir -p "$made/man"
"$binary" completions bash > "$made/reconcile.bash"
"$binary" completions zsh > "$made/_reconcile"
"$binary" completions fish > "$made/reconcile.fish"
"$binary" man > "$made/man/reconcile.1"
for command in plan explain verify-cap purge forget whoami sandbox config completions man; do
  "$binary" man "$command" > "$made/man/reconcile-$command.1"
done
cargo deb --locked --no-build
