#!/usr/bin/env bash
# Tries random types that have not been tried before, and then every fuzz target
# for a time such as 10m. Of types whose header is not right, it says which seed
# makes them, and how to try that again.
#
#   scripts/fuzz-long.sh [COUNT [TIME]]     SEED=N: the first seed, else a random one
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-3000} time=${2:-10m}
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
echo "== $count random types from seed $seed on"
if ! go test ./goldens -count=1 -timeout 0 -v -run 'TestAccepted$' -types.seed "$seed" -types.count "$count" |
	grep -Ev '^ *(=== |--- PASS|.*compilers: )'; then
	echo "some headers are not right: the lines above that start with \"again:\" try them once more;" >&2
	echo "what is found becomes a case in goldens/accepted_cases_test.go" >&2
	exit 1
fi
scripts/fuzz.sh "$time"
