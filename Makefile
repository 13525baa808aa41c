# "go run ./cmd/btfgen vmlinux.h" needs Go alone. What is here is for working on
# btfgen: make help lists it.

export CGO_ENABLED := 0

# The cli package can document itself as Markdown, which nothing here does:
# without that, the command starts 0.4 ms sooner.
GOFLAGS_BUILD := -trimpath -tags urfave_cli_no_docs
VERSION       ?=
ifneq ($(VERSION),)
GOFLAGS_BUILD += -ldflags '-X main.release=$(VERSION)'
endif

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 20s
TYPES       ?= 3000
ROUNDS      ?= 31
KERNELS     ?= *
CLANG       ?=
EACH        ?= 24
MACHINES    ?= bookworm trixie

.PHONY: help build install uninstall vmlinux.h tools test gcc-wall bare lint cross goldens generate generate-check fuzz fuzz-long bench bench-check bench-core bench-packages bench-verify corpus corpus-verify corpus-packages libbpf-tools libbpf-tools-table versus-bpftool clean

help: ## list what can be made
	@sed -n 's/^\([a-z.-]*\):.*## /\1	/p' Makefile | expand -t 20

build: ## build bin/btfgen (VERSION=v1.2.3 gives it a version)
	go build $(GOFLAGS_BUILD) -o bin/btfgen ./cmd/btfgen

# Under sudo nothing is built if make build came before: git, which Go asks for
# the version, does not trust another user's clone.
SOURCES := $(shell find cmd btfdump cgen -type f ! -path '*/testdata/*' ! -name '*_test.go')

bin/btfgen: $(SOURCES) go.mod go.sum
	go build $(GOFLAGS_BUILD) -o $@ ./cmd/btfgen

ifneq ($(VERSION),)
install: build
endif

PREFIX  ?= /usr/local
DESTDIR ?=
BINDIR  := $(DESTDIR)$(PREFIX)/bin
MANDIR  := $(DESTDIR)$(PREFIX)/share/man/man1
BASHDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR  := $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISHDIR := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

# The commands that have a man page.
MANUALS := check verify info completion help

install: bin/btfgen ## install the command, its man pages and completions (PREFIX=/usr/local, DESTDIR=)
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	if bin/btfgen --version >"$$dir/version" 2>&1; then run() { bin/btfgen "$$@"; }; \
	else run() { GOOS= GOARCH= go run $(GOFLAGS_BUILD) ./cmd/btfgen "$$@"; }; fi; \
	umask 022; mkdir -p "$(BINDIR)" "$(MANDIR)" "$(BASHDIR)" "$(ZSHDIR)" "$(FISHDIR)"; \
	run man >"$$dir/btfgen.1"; \
	for c in $(MANUALS); do run man $$c >"$$dir/btfgen-$$c.1"; done; \
	for s in bash zsh fish; do run completion $$s >"$$dir/$$s"; done; \
	install -m 755 bin/btfgen "$(BINDIR)/btfgen"; \
	install -m 644 "$$dir"/*.1 "$(MANDIR)"; \
	install -m 644 "$$dir/bash" "$(BASHDIR)/btfgen"; \
	install -m 644 "$$dir/zsh" "$(ZSHDIR)/_btfgen"; \
	install -m 644 "$$dir/fish" "$(FISHDIR)/btfgen.fish"; \
	echo "installed $(BINDIR)/btfgen, its man pages and completions"

uninstall: ## remove what make install installed
	rm -f "$(BINDIR)/btfgen" "$(MANDIR)/btfgen.1" $(MANUALS:%="$(MANDIR)/btfgen-%.1") \
		"$(BASHDIR)/btfgen" "$(ZSHDIR)/_btfgen" "$(FISHDIR)/btfgen.fish"

vmlinux.h: build ## make the running kernel's header
	bin/btfgen $@

tools: ## install what the tests need, or say what is missing
	scripts/install-test-tools.sh

# A result that Go keeps says nothing of a compiler that came since. The time limit
# is for a package that hangs, on a machine that has other work as well.
test: tools ## run all tests
	@echo 'go test -count=1 -timeout 60m ./...'; status=0; \
		go run ./scripts/testrun -count=1 -timeout 60m ./... || status=$$?; \
		scripts/install-test-tools.sh untested || exit 1; exit $$status

gcc-wall: ## have every gcc compile the header of every kernel and module in goldens/corpus, under every standard
	go test -count=1 -timeout 60m -run '^TestGCCWarns' ./goldens -every-gcc

bare: ## try the README's two commands on bare Debian machines (MACHINES="bookworm trixie"), as root
	scripts/bare-machine.sh $(MACHINES)

lint: ## vet, staticcheck, and who may import whom
	go vet ./...
	go run $(STATICCHECK) ./...
	go test ./scripts/lint

# Offline files are read everywhere; only the running kernel takes Linux. A
# 32-bit one is there because sizes have to fit its int.
PLATFORMS := linux/amd64 linux/arm64 linux/386 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

cross: ## build the command for every platform
	@for p in $(PLATFORMS); do echo "$$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} go build $(GOFLAGS_BUILD) -o /dev/null ./cmd/btfgen || exit 1; \
	done

goldens: ## rewrite the expected headers; read their diff like code
	go test ./goldens -update

generate: ## write generated Go files again (asking the compilers for their words takes an hour)
	go generate ./...

generate-check: ## fail if a generated file is not fresh
	go run ./scripts/kfuncs -check -o cgen/kfunc_names.go goldens/corpus
	go run ./scripts/words -check -o cgen/compiler_words.go
	go test -run TestGeneratedRecordsAreFresh ./cgen/gogen

fuzz: ## run every fuzz target for FUZZTIME (20s)
	scripts/fuzz.sh $(FUZZTIME)

fuzz-long: ## try TYPES (3000) random types with every compiler in turn, then every fuzz target for FUZZTIME (10m)
	scripts/fuzz-long.sh $(TYPES) $(if $(filter command line environment,$(origin FUZZTIME)),$(FUZZTIME),10m)

bench: ## compare with bpftool, ROUNDS times (31), and with itself on ten times the input
	scripts/bench.sh $(ROUNDS)

bench-check: build ## compare btfgen check of 60 objects on 7 kernels with bpftool, and with itself on 70, ROUNDS times (31)
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && go build -o "$$dir/bench" ./scripts/bench && \
		"$$dir/bench" prepare "$$dir" goldens/corpus >/dev/null && \
		"$$dir/bench" check -rounds $(ROUNDS) -btfgen bin/btfgen -clang $(or $(CLANG),clang) -out "$$dir" \
		"$$dir/amd64-7.2-cloud.btf" "$$dir/arm64-6.1-cloud.btf"

bench-core: build ## compare btfgen --for with bpftool gen min_core_btf, ROUNDS times (31)
	@dir=$$(mktemp -d /dev/shm/btfgen-bench.XXXXXX) && trap 'rm -rf "$$dir"' EXIT && \
		go build -o "$$dir/bench" ./scripts/bench && "$$dir/bench" prepare "$$dir" goldens/corpus && \
		"$$dir/bench" minimal -rounds $(ROUNDS) -btfgen bin/btfgen -clang $(or $(CLANG),clang) -out "$$dir" \
			"$$dir/amd64-7.2-cloud.btf" "$$dir/arm64-6.1-cloud.btf" "$$dir/x86_64-layout-section.btf"

bench-verify: build ## compare btfgen verify with a plain compile: CLANG=clang-19, ROUNDS times (31)
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
		go run ./scripts/bench verify -rounds $(ROUNDS) -btfgen bin/btfgen -clang $(or $(CLANG),clang) -out "$$dir" /sys/kernel/btf/vmlinux

bench-packages: build ## compare with unpacking: PACKAGES="a.deb b.deb", ROUNDS times (31)
	@test -n "$(PACKAGES)" || { echo 'name Debian kernel packages: make bench-packages PACKAGES="linux-image-....deb"'; exit 1; }
	go run ./scripts/bench packages -rounds $(ROUNDS) -btfgen bin/btfgen $(PACKAGES)

corpus: ## download Debian's kernels of all suites and architectures, some GB, for corpus-verify
	scripts/corpus.sh fetch

corpus-verify: build ## verify the headers of those kernels and their modules (KERNELS='6.1* *s390x', CLANG=clang-19, EACH=all, FAST=1)
	go run ./scripts/corpus -btfgen bin/btfgen -kernels '$(KERNELS)' -clang '$(CLANG)' -each '$(EACH)' $(if $(FAST),-fast) "$$(scripts/corpus.sh path)"

corpus-packages: build ## compare what btfgen reads from those kernels' packages with what other tools do (KERNELS=)
	go run ./scripts/corpus -packages -btfgen bin/btfgen -kernels '$(KERNELS)' "$$(scripts/corpus.sh path)"

libbpf-tools: ## download the BPF objects of bcc's libbpf-tools, some 70, their sources, and the kernel's tests
	scripts/libbpf-tools.sh fetch

libbpf-tools-table: ## compile, slim, minimise, check and load those (KERNELS='6.1* 7.*' of make corpus, else goldens/corpus; BOOT=1 starts them in qemu)
	@scripts/libbpf-tools.sh table -kernels '$(filter-out *,$(KERNELS))' $(if $(CLANG),-clang $(CLANG)) $(if $(BOOT),-boot)

versus-bpftool: ## compile those and the kernel's tests with btfgen's header and bpftool's, and compare (KERNELS='running FILE', CLANG=)
	@scripts/libbpf-tools.sh versus $(if $(CLANG),-clang $(CLANG)) $(or $(filter-out *,$(KERNELS)),running $(abspath goldens/corpus/amd64-7.2-cloud.btf.xz))

clean: ## remove what was built
	rm -rf bin build vmlinux.h
