#!/usr/bin/env bash
# Compares btfgen with bpftool on the same files: bench.sh [ROUNDS]. Figures
# depend on the machine; ratios much less so.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
export CGO_ENABLED=0
rounds=${1:-31}

if ! command -v bpftool >/dev/null; then
	echo "bench.sh: there is no bpftool to compare with: sudo apt-get install -y bpftool" >&2
	exit 1
fi

# Memory, so that no disk is measured.
parent=/dev/shm
[ -w $parent ] || parent=${TMPDIR:-/tmp}
dir=$(mktemp -d "$parent/btfgen-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT

make --silent build
go build -o "$dir/bench" ./scripts/bench

# Unpacking is done by a process of its own: a process that grew would add its own size to the peak memory of those that it starts.
"$dir/bench" prepare "$dir" goldens/corpus
files=("$dir"/*.btf)
if [ -r /sys/kernel/btf/vmlinux ]; then files=(/sys/kernel/btf/vmlinux "${files[@]}"); fi
"$dir/bench" compare -rounds "$rounds" -btfgen bin/btfgen -bpftool bpftool -out "$dir" "${files[@]}"
"$dir/bench" linear -rounds "$((rounds / 3 + 1))" -btfgen bin/btfgen -out "$dir" "$dir/amd64-7.2-cloud.btf" "$dir/ten-times"
