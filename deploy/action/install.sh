#!/usr/bin/env bash
# Installs tollgate for the steps that follow, and reports its path as the output `binary`.
# Downloads the released program of this version and checks it against the release's SHA256SUMS.
# Builds it from the action's own source if the release has none for this machine.
# Reads GATE_BINARY, GATE_VERSION and GATE_REPOSITORY (see action.yml), and the runner's variables.
set -euo pipefail

source_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$source_folder/deploy/action/fail.sh"
folder=$RUNNER_TEMP/tollgate
mkdir -p "$folder/bin"

source_version=$("$source_folder/deploy/version.sh")
version=${GATE_VERSION:-$source_version}
version=${version#v}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.-]+)?$ ]] ||
  fail 1 "version '$version' is not a version; write one such as 0.1.0"

# The released target for this machine; fails if there is none.
released_target() {
  case "$(uname -s) $(uname -m)" in
    'Linux x86_64') echo x86_64-unknown-linux-musl ;;
    'Linux aarch64' | 'Linux arm64') echo aarch64-unknown-linux-musl ;;
    'Darwin arm64') echo aarch64-apple-darwin ;;
    'Darwin x86_64') echo x86_64-apple-darwin ;;
    *) return 1 ;;
  esac
}

# Downloads one file of the release; fails if the release has no such file. Any other answer ends
# the step: building instead would hide that the network is down.
fetch() {
  local url=$1 file=$2 status
  status=$(curl --silent --show-error --location --proto =https --retry 3 --max-time 120 \
    --output "$file" --write-out '%{http_code}' "$url") || fail 1 "$url cannot be downloaded"
  [ "$status" != 404 ] || return 1
  [ "$status" = 200 ] || fail 1 "$url answers $status"
}

check_sum() {
  if command -v sha256sum >/dev/null; then sha256sum --check --status; else shasum -a 256 --check --status; fi
}

# Installs the released program; fails if there is none for this machine.
download() {
  local target archive base
  [[ ${GATE_REPOSITORY:-} =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] || return 1
  target=$(released_target) || return 1
  archive=tollgate-v$version-$target.tar.gz
  base=${GITHUB_SERVER_URL:-https://github.com}/$GATE_REPOSITORY/releases/download/v$version
  fetch "$base/SHA256SUMS" "$folder/SHA256SUMS" || return 1
  grep -q "  $archive\$" "$folder/SHA256SUMS" || return 1
  fetch "$base/$archive" "$folder/$archive" || fail 1 "the release lists $archive but does not have it"
  (cd "$folder" && grep "  $archive\$" SHA256SUMS | check_sum) ||
    fail 1 "$archive is not the released file: its SHA-256 differs from SHA256SUMS"
  tar -xzf "$folder/$archive" -C "$folder/bin" --strip-components 1 "tollgate-v$version-$target/tollgate"
  echo "Downloaded tollgate $version for $target; its checksum is right."
}

build() {
  [ "$version" = "$source_version" ] ||
    fail 1 "there is no release $version for this machine, and the source here is $source_version"
  command -v cargo >/dev/null ||
    fail 1 "there is no release $version for this machine; install a Rust toolchain to build it"
  echo "There is no release $version for this machine: building it takes about 10 minutes."
  cargo build --release --locked --bin tollgate \
    --manifest-path "$source_folder/Cargo.toml" --target-dir "$folder/target"
  cp "$folder/target/release/tollgate" "$folder/bin/tollgate"
}

# An earlier step may have left a link to a program, which must not be written through.
rm -f "$folder/bin/tollgate"
if [ -n "${GATE_BINARY:-}" ]; then
  [ -x "$GATE_BINARY" ] || fail 1 "binary '$GATE_BINARY' is not a program"
  ln -sf "$(cd "$(dirname "$GATE_BINARY")" && pwd)/$(basename "$GATE_BINARY")" "$folder/bin/tollgate"
else
  download || build
fi
"$folder/bin/tollgate" --version
echo "$folder/bin" >>"$GITHUB_PATH"
echo "binary=$folder/bin/tollgate" >>"$GITHUB_OUTPUT"
