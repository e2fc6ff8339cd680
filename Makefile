# What a developer types; .ci/run is what must be true.
.PHONY: build test race fuzz bench soak ci

build:
	CGO_ENABLED=0 go build -trimpath -o shieldwall ./cmd/shieldwall

test:
	go test ./...

race:
	.ci/run race

# FUZZTIME=60s make fuzz
fuzz:
	.ci/run fuzz

bench:
	go test -run '^$$' -bench . -benchmem ./...

# Everything for longer than a change has time for.
soak:
	SHIELDWALL_SOAK=1 go test -timeout 4h ./internal/match
	go test -count=20 -timeout 4h ./...
	FUZZTIME=5m .ci/run fuzz

ci:
	.ci/run
