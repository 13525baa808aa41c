#!/usr/bin/env bash
# Runs every fuzz target of the project for a time such as 20s or 10m.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The time may run out while Go's fuzzer waits for one of its workers. It then
# reports its own deadline as a failure. Findings name the input that they are
# about, and so do hangs.
ran_out() {
	grep -qx ' *context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log"
}

found=0
for package in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		found=$((found + 1))
		echo "== $package $target for $time"
		# Without a limit, most of the time goes into making inputs smaller that
		# are new, and few are tried.
		if ! go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 100x "$package" 2>&1 | tee "$log"; then
			ran_out || exit 1
			echo "no finding: the time ran out"
		fi
	done
done
if [ $found = 0 ]; then
	echo "no fuzz target found" >&2
	exit 1
fi
