#!/usr/bin/env bash
# Builds the Debian package: the release binary, its completions and manual pages. Needs cargo-deb
# (`cargo install --locked cargo-deb`). The last line of the output is the path of the package.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release
binary=target/release/reconcile
built=target/package-files
rm -rf "$built"
mkdir -p "$built/man"
"$binary" completions bash > "$built/reconcile.bash"
"$binary" completions zsh > "$built/_reconcile"
"$binary" completions fish > "$built/reconcile.fish"
"$binary" man > "$built/man/reconcile.1"
for command in plan explain resolutions diff export verify-cap purge forget store whoami sandbox config completions man; do
  "$binary" man "$command" > "$built/man/reconcile-$command.1"
done
cargo deb --locked --no-build
