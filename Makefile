# make lists the targets. Everything that a check runs, a person can run by the
# same name.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATICCHECK := go tool -modfile=tools/go.mod staticcheck
GOFUMPT := go tool -modfile=tools/go.mod gofumpt
SYSTEMS := linux darwin windows freebsd
PLATFORMS := $(foreach os,$(SYSTEMS),$(os)/amd64 $(os)/arm64)

# Knobs of some targets, as in: make sim SEEDS=5000
SEEDS ?= 1000
SEED ?=
TRACE ?=
HASHES ?=
TIME ?= 30s
SIZE ?= 256
ROUNDS ?= 200
REPS ?= 3
ONLY ?=
RACE ?=

.DEFAULT_GOAL := help
# Where make install puts things; DESTDIR is in front of it all, for packages.
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: help build install uninstall test race words docs sim golden fuzz bench fmt lint interop field pace torture cross cover clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build ./shoal, without cgo, with its version stamped
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o shoal ./cmd/shoal

install: build ## install the command, man pages and completion: PREFIX=/usr/local DESTDIR=
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/man/man1" \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions" \
		"$(DESTDIR)$(PREFIX)/share/zsh/site-functions" "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d"
	install -m 755 shoal "$(DESTDIR)$(PREFIX)/bin/shoal"
	./shoal man "$(DESTDIR)$(PREFIX)/share/man/man1"
	./shoal completion bash > "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/shoal"
	./shoal completion zsh > "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_shoal"
	./shoal completion fish > "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/shoal.fish"

uninstall: ## remove what make install has put there
	rm -f "$(DESTDIR)$(PREFIX)/bin/shoal" "$(DESTDIR)$(PREFIX)/share/man/man1/shoal.1" "$(DESTDIR)$(PREFIX)"/share/man/man1/shoal-*.1 \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/shoal" \
		"$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_shoal" "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/shoal.fish"

# The packages of these folders are pure: archtest refuses a goroutine in them, so the race
# detector has nothing to watch there, and costs ten times the time. A simulated world is one
# goroutine as well; forty random scenarios, two worlds at a time, show under the detector
# whether worlds share anything. `make lint` runs vet, and it would compile everything again here.
# Three packages are tested at a time on two cores, because tests with real sockets mostly wait.
PURE := ^shoal/(internal/(decide|format|sim|archtest|golden)|bencode|magnet|metainfo)(/|$$)
test: ## every test, under the race detector where there is more than one goroutine
	go test -race -vet=off -p 3 $$(go list ./... | grep -v -E '$(PURE)')
	go test -race -vet=off -run '^TestSeeds$$' ./internal/sim -seeds=40
	go test -vet=off -p 3 $$(go list ./... | grep -E '$(PURE)')

race: ## the tests of the pure packages under the race detector, too
	go test -race -vet=off -p 3 $$(go list ./... | grep -E '$(PURE)' | grep -v -e /archtest$$ -e /sim$$)

words: ## print where prose needs a plainer word, by file and line
	@go test -count=1 ./internal/archtest -run TestWords | grep -o '[A-Za-z][^ ]*:[0-9]*: ".*'; true

docs: ## write the pages that are generated: the index of decisions and CHANGELOG.md
	go test -count=1 ./internal/archtest -run 'TestDecisionIndex|TestChangelog' -update

sim: ## simulate swarms: SEEDS=1000, or SEED=42 again, TRACE=1 prints the messages, HASHES=FILE keeps the hashes
	go test ./internal/sim -run TestSeeds -count=1 -timeout 0 \
		$(if $(SEED),-v -seed=$(SEED),-seeds=$(SEEDS)) $(if $(TRACE),-show) $(if $(HASHES),-hashes=$(abspath $(HASHES)))

golden: ## rewrite the golden scripts of all packages; then read the diff
	go test -count=1 $$(grep -rl --include='*_test.go' --exclude-dir=testdata '"shoal/internal/golden"' . | xargs -n1 dirname | sort -u) -update
	@git --no-pager diff --stat -- '*testdata*'

# The targets are found in the sources: listing them by go test would build each package twice.
fuzz: ## run every fuzz target in turn, TIME=30s each
	@set -e; grep -rn --include='*_test.go' -oE '^func Fuzz[A-Za-z0-9]+' . | sed -E 's#(.*)/[^/]*:[0-9]+:func (.*)#\1 \2#' | sort | while read -r pkg target; do \
		tools/fuzz $$pkg $$target $(TIME); \
	done

bench: ## run the benchmarks, with allocations
	go test -run '^$$' -bench . -benchmem ./...

fmt: ## format the sources as lint wants them
	$(GOFUMPT) -w $$(git ls-files '*.go' ':!*testdata*')

lint: ## vet, staticcheck, gofumpt and the architecture's own rules
	go vet ./...
	go vet -tags interop ./interop
	go vet -tags torture ./torture
	$(STATICCHECK) -tags interop,torture ./...
	@out=$$($(GOFUMPT) -l $$(git ls-files '*.go' ':!*testdata*')); \
		if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
	go test ./internal/archtest

interop: ## download from and seed to other people's clients; needs Linux and root; SIZE=256 MiB, RACE=1
	go test -tags interop -count=1 -v -timeout 25m -parallel 8 -exec "$(CURDIR)/interop/alone" ./interop -args -mib=$(SIZE) $(if $(RACE),-raced)

field: ## give every case of docs/field.md to every client and write that page; as interop, some minutes more
	go test -tags interop -count=1 -v -timeout 25m -exec "$(CURDIR)/interop/alone" -run '^TestField$$' -parallel 8 ./interop -args -field

pace: ## measure shoal and libtorrent at every pace, and write that into docs/performance.md; REPS=3 ONLY=limits,chatter,files,trackers
	go test -tags interop -count=1 -v -timeout 90m -exec "$(CURDIR)/interop/alone" -run '^TestPace$$' ./interop -args -pace -write -pace-reps=$(REPS) -pace-only=$(ONLY)

torture: ## kill the command, fill its disk, take its volume away; needs Linux and root; ROUNDS=200 kills
	go test -tags torture -count=1 -v -timeout 40m -exec "$(CURDIR)/torture/alone" ./torture -args -rounds=$(ROUNDS)

# vet reads the test files, too, which nothing else here compiles for other systems.
cross: ## compile for every platform we care for, and vet the tests for each system
	@set -e; for p in $(PLATFORMS); do \
		echo "build for $$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build ./...; \
	done
	@set -e; for os in $(filter-out linux,$(SYSTEMS)); do \
		echo "vet for $$os"; \
		CGO_ENABLED=0 GOOS=$$os go vet ./...; \
	done

cover: ## test coverage of the whole module by the whole module
	@mkdir -p dist
	go test -coverpkg=./... -coverprofile=dist/cover.out ./...
	go tool cover -func=dist/cover.out | tail -n 1

clean: ## remove what the targets above have made
	rm -rf shoal dist
