#!/usr/bin/env bash
# Lints and checks the format of everything. Arguments are passed on, such as
# --fix. The first run builds the linter, of the version in .ci/tools/go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
exec go tool -modfile=.ci/tools/go.mod golangci-lint run "$@" ./...
