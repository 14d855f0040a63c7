#!/usr/bin/env bash
# Checks deploy/action/install.sh against releases that a stand-in for curl serves from a folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$(deploy/version.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/bin"
tollgate=$work/tollgate
printf '#!/bin/sh\necho tollgate %s\n' "$version" >"$tollgate"
chmod +x "$tollgate"
tests/workflows/release.sh "$tollgate" "$work/release"
cp tests/workflows/curl "$work/bin"
# Building takes minutes: a stand-in for cargo shows that it would be built, and from where.
cat >"$work/bin/cargo" <<STAND_IN
#!/usr/bin/env bash
echo "built: \$*"
while [ \$# -gt 0 ]; do [ "\$1" != --target-dir ] || folder=\$2; shift; done
mkdir -p "\$folder/release"
cp "$tollgate" "\$folder/release/tollgate"
STAND_IN
chmod +x "$work/bin/cargo"

# Runs install.sh with these variables; its text is in $text, its exit code in $code.
install() {
  rm -rf "$work/runner" && mkdir -p "$work/runner"
  code=0
  text=$(env PATH="$work/bin:$PATH" RELEASES="$work/release" RUNNER_TEMP="$work/runner" \
    GITHUB_SERVER_URL=https://github.example GITHUB_PATH="$work/runner/path" GITHUB_OUTPUT="$work/runner/output" \
    GATE_REPOSITORY=owner/tollgate "$@" deploy/action/install.sh 2>&1) || code=$?
}
expect() {
  local what=$1 wanted_code=$2 wanted_text=$3
  if [ "$code" != "$wanted_code" ] || [[ $text != *"$wanted_text"* ]]; then
    printf 'install.sh: %s: exit code %s, expected %s with "%s":\n%s\n' "$what" "$code" "$wanted_code" "$wanted_text" "$text" >&2
    exit 1
  fi
}

install GATE_VERSION=
expect "the release of the action's own version is downloaded" 0 "Downloaded tollgate $version"
grep -q "binary=$work/runner/tollgate/bin/tollgate" "$work/runner/output"
grep -q "$work/runner/tollgate/bin" "$work/runner/path"

install "GATE_VERSION=v$version"
expect "a version may begin with v" 0 "Downloaded tollgate $version"

install FAULT=altered
expect "an altered archive is refused" 1 "its SHA-256 differs"

install FAULT=offline
expect "a network that is down is an error, not a reason to build" 1 "cannot be downloaded"

install FAULT=busy
expect "a server that is down is an error, not a reason to build" 1 "answers 503"

install GATE_VERSION=9.9.9
expect "a release that does not exist cannot be built from this source" 1 "the source here is $version"

install 'GATE_VERSION=../../etc'
expect "a version is only a version" 1 "is not a version"

install GATE_REPOSITORY=
expect "a local action has no release and is built" 0 "built: build --release --locked"

sed -i.bak '/-/d' "$work/release/v$version/SHA256SUMS"
install GATE_VERSION=
expect "a release without an archive for this machine is built" 0 "built: build --release --locked"

install "GATE_BINARY=$tollgate" FAULT=offline
expect "a program that is there already is used" 0 "tollgate $version"

install GATE_BINARY=/does/not/exist
expect "a program that is not there is an error" 1 "is not a program"
echo "11 ways to install passed"
