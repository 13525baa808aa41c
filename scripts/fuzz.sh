#!/usr/bin/env bash
# Runs every fuzz target of the project for a time such as 20s or 10m.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20s}

found=0
for package in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		found=$((found + 1))
		echo "== $package $target for $time"
		# Without a limit, most of the time goes into making inputs smaller that
		# are new, and few are tried.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 100x "$package"
	done
done
if [ $found = 0 ]; then
	echo "no fuzz target found" >&2
	exit 1
fi
