.DEFAULT_GOAL := help
.PHONY: help run test bench fuzz image queries

modules := e2e/node_modules/.package-lock.json

help: ## Lists what can be made.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 18

run: $(modules) ## Starts Postgres, an identity provider, a control plane and the portal on http://localhost:3000.
	@exec node e2e/stack/run.mjs

test: $(modules) ## Runs everything that CI runs. One check only: make test CHECK="browser -g wizard".
	@exec node e2e/stack/test.mjs $(CHECK)

bench: $(modules) ## Measures, prints a table with targets, and fails where one is missed. One part only: make bench PART=pages.
	@exec node e2e/stack/bench.mjs $(PART)

fuzz: $(modules) ## Fuzzes the review engine, ten minutes for each target.
	@exec node e2e/stack/fuzz.mjs

image: ## Builds the container image: serve and migrate in one.
	@exec node e2e/stack/image.mjs

queries: $(modules) ## Writes anew what the compiler knows of the database (.sqlx), after a change of SQL.
	@exec node e2e/stack/queries.mjs

$(modules): e2e/package-lock.json
	@for program in node npm cargo; do \
	  command -v $$program >/dev/null || { echo "fairway: $$program is missing: install Rust (rustup.rs) and Node 20 or newer (nodejs.org)." >&2; exit 1; }; \
	done
	@echo "fairway: installing the node packages of the local stack" >&2
	@npm ci --no-audit --no-fund --silent --prefix e2e
	@touch $@
