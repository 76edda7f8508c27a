# make demo and make test are where to start; make check is what CI runs.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
PLATFORMS   = linux/arm64 darwin/arm64 windows/amd64
FUZZTIME    = 30s
SOAK        = 20
BENCHTIME   = 1s
# big-edits comes first: it takes the most disk, and leaves none behind
# and syncs shows by strace what is synced. Those behind crash-open took half a minute in all at --scale 0.02
# beside rsync alone, on two cores; at full size beside all peers they take many times that
WORKLOADS   = big-edits,1k-1gib,small-100k,4k-1000,one-of-many,killed-push,versions-space,crash-open,syncs,streams,commit,tree-diff,duplicates,deep,diff-10k,churn
RESTSERVER  = github.com/restic/rest-server/cmd/rest-server@v0.14.0
KOPIA       = github.com/kopia/kopia@v0.21.1

.PHONY: demo build test race check fuzz soak bench microbench peers cover fmt vet lint tidy vuln cross secrets clean

demo: build ## push and pull a small tree, or a copy of DIR=…
	@DFS=bin/dfs sh testdata/demo.sh $(DIR)

build:
	go build -o bin/dfs ./cmd/dfs

test:
	go test ./...

race: ## without the second that each of the many processes would wait at its end
	GORACE=atexit_sleep_ms=0 go test -race -timeout 20m ./...

check: fmt vet lint tidy cross test secrets race vuln

secrets: ## no test of the client or the server prints a token; scripts, in which commands give them out, look themselves
	@log=$$(mktemp); go test -v ./client/... ./server/... >$$log 2>&1 || { cat $$log; rm $$log; exit 1; }; \
	if grep -qE 'dfs_(token|join)_[0-9a-f]{64}' $$log; then echo "a token is in what the tests print: $$log"; exit 1; fi; rm $$log

fmt:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi

vet:
	go vet ./...

lint:
	go run $(STATICCHECK) ./...

tidy:
	go mod tidy -diff

cross: ## build for the other platforms
	@for p in $(PLATFORMS); do echo "build for $$p"; CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build ./... || exit 1; done

vuln: ## needs the vulnerability database, and says so where that is out of reach
	@out=$$(go run $(GOVULNCHECK) ./... 2>&1); rc=$$?; echo "$$out"; \
	case $$out in *"fetching vulnerabilities"*) echo "govulncheck: skipped, its database cannot be reached";; *) exit $$rc;; esac

fuzz: ## each fuzz target for FUZZTIME
	@grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sed 's|/[^/]*:func | |' | while read -r dir name; do \
		go test "$$dir" -run='^$$' -fuzz="^$$name$$" -fuzztime=$(FUZZTIME) || exit 1; done

soak: ## 20,000 histories, mistakes on purpose, 60 power cuts, 20 kills during 1 GiB, the times of 100,000 pairs of answers, all faults and kills, 200 rounds of writers, 10,000 swaps, 32 processes of 50 commits, 100,000 files moved, 64 clients for 5 minutes, abuse by 10,000 connections, harm at 64 places and all frames of each request, then the tests SOAK times in random order
	DFS_HISTORIES=20000 go test -count=1 -v -run Histories -timeout 4h ./client
	DFS_BUGS=1 go test -count=1 -v -run BugsAreFound -timeout 2h ./client
	DFS_COMMITS=32x50 go test -count=1 -v -run ConcurrentCommits -timeout 1h ./cmd/dfs
	DFS_CLIENTS=64 DFS_FOR=5m go test -count=1 -v -run Crowd -timeout 1h ./cmd/dfs
	DFS_ABUSE=10000 go test -count=1 -v -run Abuse -timeout 1h ./cmd/dfs
	DFS_CHAOS=64 go test -count=1 -v -run Chaos -timeout 6h ./client/remote
	DFS_EVERY=1 DFS_ROUNDS=200 DFS_SWAPS=10000 DFS_FILES=100000 go test -count=1 -v -run 'Killed|Fault|Full|Writers|Swapped|NothingOpened|MoveMany' -timeout 2h ./cmd/dfs
	DFS_CUTS=60 DFS_KILLS=20 go test -count=1 -v -run 'PowerCut|KilledPush' -timeout 2h ./cas/badgerstore ./server/hub ./cmd/dfs
	DFS_PAIRS=100000 go test -count=1 -v -run TimesTell -timeout 1h ./server
	go test -count=$(SOAK) -shuffle=on -timeout 6h ./...

bench: build ## dfs beside the tools that are installed (make peers), into bin/bench; WORKLOADS=…
	PATH="$(CURDIR)/bin/peers:$$PATH" bin/dfs bench --workload $(WORKLOADS) --peer rsync,rsync-nosync,rsync-daemon,restic,restic-rest,borg,kopia,rclone,unison --out bin/bench

microbench: ## the hot functions alone, BENCHTIME long each
	go test -run='^$$' -bench=. -benchmem -benchtime=$(BENCHTIME) ./...

peers: ## install the tools that bench compares with: what Debian has, and into bin/peers what Go can build; others count when they are on PATH
	@command -v apt-get >/dev/null || { echo "peers: no apt-get here; put rsync, restic, borg, rclone and unison on PATH yourself"; exit 1; }
	apt-get update
	apt-get install -y --no-install-recommends rsync restic borgbackup rclone unison
	@for m in $(RESTSERVER) $(KOPIA); do GOBIN="$(CURDIR)/bin/peers" go install $$m || echo "peers: no $$m to be had here"; done
	@PATH="$(CURDIR)/bin/peers:$$PATH"; for p in rsync restic borg rclone unison rest-server kopia; do \
		command -v $$p >/dev/null && echo "$$p: $$(command -v $$p)" || echo "$$p: missing, what it would show counts as not shown"; done

cover:
	@mkdir -p bin
	go test -coverprofile=bin/cover.out -coverpkg=./... ./...
	go tool cover -func=bin/cover.out | tail -n 1

clean:
	rm -rf bin
