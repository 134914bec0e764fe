# `make` lists the targets; what CI runs is in .ci/run.

.DEFAULT_GOAL := help

## help: list the targets
help:
	@sed -n 's/^## \([a-z]*\): /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-8s %s\n", $$1, $$2 }'

## test: run the tests of all modules
test:
	go test work

## race: run the tests with the race detector
race:
	.ci/run race

## cover: print the statement coverage of the core, package by package
cover:
	.ci/run cover

## bench: run the benchmarks of the core (BENCH=regexp, COUNT=n, ARGS=flags)
BENCH ?= .
COUNT ?= 1
bench:
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(ARGS) ./internal/contract

## figures: measure what docs/benchmarks.md shows (FIGURES=regexp of rows)
FIGURES ?= .
figures:
	go test -run '^TestFigures$$' -timeout 30m -v ./internal/contract -figures '$(FIGURES)'

## trading: measure what docs/trading.md shows (FIGURES=regexp of rows)
trading:
	go test -run '^TestFigures$$' -timeout 30m -v ./examples/internal/trading -figures '$(FIGURES)'

## store: measure the event stores on disk (FIGURES=regexp of rows)
store:
	cd eventstore/sqlite && go test -run '^TestFigures$$' -timeout 30m -v . -figures '$(FIGURES)'
	cd eventstore/postgres && go test -run '^TestFigures$$' -timeout 30m -v . -figures '$(FIGURES)'

## peers: measure signals beside its peers, and write docs/benchmarks.md (ARGS=flags)
peers:
	cd bench && GOWORK=off go run ./cmd/report $(ARGS)

## profile: where the time of the benchmark end to end goes (PROFILE=1_listener)
PROFILE ?= 100_listeners
profile:
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	top() { go tool pprof -top -nodecount 10 "$$@" "$$dir/test" "$$dir/cpu" 2>/dev/null | sed 's/\[go\.shape\.[^]]*\]/[T]/'; } && \
	share() { top -focus "$$1" | sed -n 's/^Showing nodes .* \([0-9.]*%\) of .*/\1/p'; } && \
	go test -run '^$$' -bench '^BenchmarkAsyncEndToEnd$$/^$(PROFILE)$$' -skip '/./.' -benchtime 4s -cpuprofile "$$dir/cpu" -o "$$dir/test" ./internal/contract && \
	top && \
	echo "in the listeners: $$(share 'totals\.func')" && \
	echo "in the garbage collector and the allocator: $$(share '^runtime\.(gc|bgsweep|bgscavenge|mallocgc)')"

## soak: let listeners of every sort come and go for SOAK=10m
SOAK ?= 10m
soak:
	go test -run '^TestSoak$$' -timeout 0 -v ./internal/contract -soak $(SOAK)

## fmt: format all Go files
fmt:
	git ls-files -z '*.go' | xargs -0 gofmt -w

## vet: run go vet on all modules
vet:
	go vet work

## lint: run golangci-lint on all modules
lint:
	.ci/run lint

## vuln: look for known vulnerabilities in all modules
vuln:
	.ci/run vuln

## api: write docs/api_reference.md from the doc comments
api:
	go run ./internal/repo/apidoc

## docs: write the API reference, and the code shown in the documents
docs: api
	go test ./internal/repo -run TestDocumentsShowCompiledCode -update

## ci: run everything that gates a submission
ci:
	.ci/run

## module: change the module path everywhere (MODULE=github.com/acme/signals)
module:
	@go run ./internal/repo/rename '$(MODULE)'

## release: prepare a release, without pushing anything (VERSION=v0.1.0)
release:
	@go run ./internal/repo/release '$(VERSION)'

.PHONY: help test race cover bench figures store trading peers profile soak fmt vet lint vuln api docs ci module release
