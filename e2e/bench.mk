# What a Deployment costs, on a real API server; included by the Makefile at the root. The figures: docs/benchmarks.md.

.PHONY: bench
bench: $(HELM) ## Requests, CPU, memory and lateness of N=500 Deployments (STEPS=10 INTERVAL=5s IDLE=60s; BENCH_DOCS=1 writes the page)
	@$(E2E_DIR)/tools.sh etcd kube-apiserver
	@$(E2E_DIR)/image.sh
	cargo test --locked --test bench
