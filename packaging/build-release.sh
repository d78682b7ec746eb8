#!/usr/bin/env bash
# Builds the files of a release into dist/. For each target: an archive, a Debian package, and the
# list of what the binary contains (SBOM). For all of them: their SHA-256 sums. The binaries run on
# every Linux with glibc 2.17 or newer.
#
# Takes every installed target for Linux with glibc. `rustup target add aarch64-unknown-linux-gnu`
# adds one.
#
# Two runs over one commit, with the same Rust, give the same bytes: no time, path or name of the
# machine gets in. Needs Rust, Python 3 with venv, and the network for the tools, which are kept
# below target/.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly GLIBC=2.17 ZIG=0.17.1 ZIGBUILD=0.24.1 CARGO_DEB=3.8.0 CYCLONEDX=0.5.9

if [ -n "$(git status --porcelain)" ]; then
  echo "the tree has changes; commit them, since a release is built from a commit" >&2
  exit 1
fi
umask 022
export LC_ALL=C CARGO_TARGET_DIR=$PWD/target
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# Zig is a linker and C compiler that knows the symbols of old C libraries. A tool on the path is
# used if it has the same version.
tools=$CARGO_TARGET_DIR/release-tools
python=$tools/python-$ZIG-$ZIGBUILD
export PATH="$python/bin:$tools/bin:$PATH"
if [ ! -x "$python/bin/cargo-zigbuild" ]; then
  python3 -m venv --clear "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check "ziglang==$ZIG" "cargo-zigbuild==$ZIGBUILD"
fi
has() {
  [[ "$(cargo "$1" --version 2> /dev/null)" == *" $2" ]]
}
has deb "$CARGO_DEB" || cargo install --locked --root "$tools" "cargo-deb@$CARGO_DEB"
has cyclonedx "$CYCLONEDX" || cargo install --locked --root "$tools" "cargo-cyclonedx@$CYCLONEDX"

# No path of this machine gets into the binaries, neither from Rust nor from C.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$PWD=/reconcile"$'\x1f'"--remap-path-prefix=$cargo_home=/cargo"
# The C code has the time of the commit in it, which neither Cargo nor Zig's cache would notice
# without the definition: they would take objects of another commit.
export CFLAGS="-ffile-prefix-map=$PWD=/reconcile -ffile-prefix-map=$cargo_home=/cargo -DCOMMIT_TIME=$SOURCE_DATE_EPOCH"

targets=()
for folder in "$(rustc --print sysroot)"/lib/rustlib/*-unknown-linux-gnu/; do
  targets+=("$(basename "$folder")")
done
for target in "${targets[@]}"; do
  cargo zigbuild --locked --profile dist --bin reconcile --target "$target.$GLIBC"
done

# The binary for this machine writes its completions and manual pages.
host=$(rustc -vV | sed -n 's/^host: //p')
binary=target/$host/dist/reconcile
built=target/package-files
rm -rf "$built" dist
mkdir -p "$built/man" dist
"$binary" completions bash > "$built/reconcile.bash"
"$binary" completions zsh > "$built/_reconcile"
"$binary" completions fish > "$built/reconcile.fish"
"$binary" man > "$built/man/reconcile.1"
for command in plan explain resolutions diff export verify-cap purge forget store whoami sandbox config completions man; do
  "$binary" man "$command" > "$built/man/reconcile-$command.1"
done

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
for target in "${targets[@]}"; do
  name=reconcile-$version-$target

  # The folders of the archive are those of the tree, so the links in its pages lead somewhere.
  folder=target/release-files/$name
  rm -rf "$folder"
  mkdir -p "$folder/completions"
  git archive HEAD README.md CHANGELOG.md LICENSE SECURITY.md docs examples packaging sample-data | tar -x -C "$folder"
  python3 packaging/notices.py "$target" > "$built/THIRD-PARTY-NOTICES"
  cp "target/$target/dist/reconcile" "$built/THIRD-PARTY-NOTICES" "$folder/"
  cp "$built/reconcile.bash" "$built/_reconcile" "$built/reconcile.fish" "$folder/completions/"
  cp -r "$built/man" "$folder/"
  tar --sort=name --format=gnu --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    -C target/release-files -c "$name" | gzip -9 -n > "dist/$name.tar.gz"

  cargo deb --locked --no-build --no-strip --profile dist --target "$target" --output dist/

  cargo cyclonedx --quiet --format json --spec-version 1.5 --describe binaries --no-build-deps --target "$target"
  sed "s|path+file://$PWD|path+file:///reconcile|g" reconcile_bin.cdx.json > "dist/$name.cdx.json"
  rm reconcile_bin.cdx.json
done
(cd dist && sha256sum -- * > SHA256SUMS && cat SHA256SUMS)
