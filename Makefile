# Targets with a comment behind ## are listed by make help.

SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build ./buildmon
	CGO_ENABLED=0 go build -trimpath -o buildmon .

.PHONY: test
test: ## Run all tests; nothing needs to be installed or started
	go test ./...

.PHONY: race
race: ## Run all tests with the race detector
	go test -race ./...

.PHONY: lint
lint: ## Lint the code, its format and the pipelines
	.ci/lint.sh
	go run . lint ./pipelines/...

.PHONY: generate
generate: ## Write what is generated: dashboards and reference pages
	go generate ./...
	go test ./plugins/all -run TestReferencePagesAreCurrent -update

.PHONY: check
check: generate ## Fail if what is generated is not committed
	git diff --exit-code

.PHONY: integration
integration: ## Run everything that guards the project, against real servers
	.ci/run

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## Fuzz what reads foreign bytes, each target for FUZZTIME (30s, or a count such as 1000000x)
	@set -e; grep -rl '^func Fuzz' --include='*_test.go' . | xargs -n 1 dirname | sort -u | while read -r package; do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z]*' $$package/*_test.go | cut -c 6-); do \
			echo "== $$package $$target"; \
			go test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME); \
		done; \
	done

MUTANTS ?= 200000

.PHONY: mutants
mutants: ## Check MUTANTS mutants of every input that fuzzing has kept
	BUILDMON_MUTANTS=$(MUTANTS) go test $$(grep -rl 'testfuzz.Bytes' --include='*_test.go' . | xargs -n 1 dirname | sort -u) -run '^Fuzz' -count 1 -timeout 0 -v | grep -E '^(---|ok|FAIL)|inputs'

.PHONY: chaos
chaos: ## Break everything around buildmon 1,000 times and check the tables; needs Java and Maven
	go run ./internal/chaos -faults 1000 -over 20m

.PHONY: chaos-recovery
chaos-recovery: ## Measure how long buildmon takes to recover from each kind of fault
	go run ./internal/chaos -alone -faults 200

.PHONY: chaos-guards
chaos-guards: ## Remove each guard of the source in turn and want that to be noticed
	go run ./internal/chaos -guards -faults 40 -over 1m -processes 3

.PHONY: demo
demo: ## Watch a simulated building; nothing needs to be installed
	go run . demo

.PHONY: bench
bench: ## Measure buildmon against what Kafka and Postgres allow (BENCH='-help' lists options)
	go run ./internal/bench -out bench.json $(BENCH)

.PHONY: bench-growth
bench-growth: ## Measure how cost grows with sensors, groups, partitions, batches and windows
	go run ./internal/bench -growth all $(BENCH)

.PHONY: bench-engines
bench-engines: ## Measure the engines and plugins alone
	go test -run '^$$' -bench . -benchmem ./internal/... ./plugins/...
