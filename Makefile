# Collimate. `make demo` shows it, `make test` tests it; Go and make are all that both need.

# The race detector needs a C compiler; without one the tests run all the same, only without it.
RACE := $(shell command -v "$$(go env CC)" >/dev/null 2>&1 && echo -race)

# Race-tested with every `make test`: where goroutines meet, the engine's packages aside, whose instrumented
# build alone takes minutes. `make ci` has those too.
RACED  := ./keys/... ./xua/... ./xmlsec/... ./saml/... ./soap/... ./xds/... ./wsdl/... ./dicom/... ./pacs/... ./atna/... ./conformance/... ./gateway/...
ENGINE := ./p2p/... ./consensus/... ./node/...

ARGS ?=

.PHONY: help build demo test race-engine lint generate bench scale soak fuzz c14n ci clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

build: bin/collimate ## build bin/collimate

.PHONY: bin/collimate
bin/collimate:
	CGO_ENABLED=0 go build -trimpath -o $@ ./cmd/collimate

demo: bin/collimate ## one study from hospital to hospital; ARGS='--once' to stop at the end
	bin/collimate demo $(ARGS)

test: ## all tests, with the race detector where it matters
ifeq ($(RACE),)
	CGO_ENABLED=0 go test ./...
else
	go test -race $(RACED)
	CGO_ENABLED=0 go test . ./ledger/... $(ENGINE) ./cmd/...
endif

race-engine: ## the engine's packages and the ledger under the race detector
	go test -race ./ledger/... $(ENGINE)

lint: ## gofmt, vet, staticcheck, tidy go.mod
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on the files above'; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff

generate: ## make generated files anew
	go generate ./...

bench: bin/collimate ## speed, as ratios; install nginx, libxmlsec1-dev, libxmlsec1-openssl, pkg-config to compare with
	go test -run '^$$' -bench . -benchmem ./xmlsec ./saml ./soap/... ./ledger/... ./dicom ./pacs/...
	go test -run '^$$' -bench . -benchtime 20x ./bench
	go test -run '^$$' -bench . -benchtime 3x ./gateway

c14n: ## canonical forms of 50,000 random documents against libxml2
	COLLIMATE_C14N_DOCUMENTS=50000 go test -count=1 -run 'C14NAgainstLibxml2' -v ./xmlsec

scale: ## the ledger at 1 and 10 million records: minutes to an hour, and 10 GB of disk
	COLLIMATE_RECORDS="1000000 10000000" go test -run '^$$' -bench Scale -benchtime 1x -timeout 120m ./ledger/store

soak: ## a million operations against the model, 500 rounds of SIGKILL over four nodes, 200 over a source: an hour or two
	COLLIMATE_MODEL_OPS=1000000 go test -count=1 -run TestModel -timeout 120m -v ./ledger/model
	COLLIMATE_SOAK_ROUNDS=500 go test -count=1 -run TestKillSoak -timeout 180m -v ./node
	COLLIMATE_CRASH_ROUNDS=200 go test -count=1 -run TestPublishCrash -timeout 60m -v ./gateway

FUZZTIME ?= 20s
fuzz: ## run every fuzz target for FUZZTIME
	@set -e; for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

ci: lint generate ## what continuous integration runs
	@git diff --exit-code --stat || { echo 'make generate changes files: commit them'; exit 1; }
	$(MAKE) test
	$(MAKE) race-engine
	$(MAKE) c14n
	@if command -v apt-get >/dev/null; then $(MAKE) interop-soap interop-pacs; \
	else echo 'skipped: interop with other SOAP stacks and with PACS, which are installed from Debian'; fi
	$(MAKE) build
	bin/collimate demo --once
	@if [ -d ../shared/dicom/mr-series-16 ]; then bin/collimate demo --once --dicom ../shared/dicom/mr-series-16; \
	else echo 'skipped: demo with real files, ../shared/dicom/mr-series-16 is not here'; fi

clean: ## remove what was built
	rm -rf bin

include interop/Makefile.inc
