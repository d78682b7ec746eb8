#!/usr/bin/env bash
# Builds the Debian package: the release binary, its completions and manual pages. Needs cargo-deb
# (`cargo install --locked cargo-deb`). The last line of the output is the path of the package.
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
