# What a Deployment costs, on a real API server; included by the Makefile at the root. The figures: docs/benchmarks.md.

.PHONY: bench
bench: $(HELM) ## Requests, CPU, memory and lateness of N=500 Deployments (STEPS=10 INTERVAL=5s IDLE=60s; BENCH_DOCS=1 writes the page); BENCH=rbac: what HOSTS=5000 registered hosts cost; BENCH=install: what a deployment of a bundle costs its host, against tar (ROUNDS=5, ONLY="100 MB"); BENCH=service: service deployments beside Argo Rollouts; BENCH=swarm: what HOSTS=1000 agents cost, at rest and deployed to (FEW=200 one at a time, NAMESPACE=1000 of them in one)
	@[[ $${BENCH:-} == install ]] || $(E2E_DIR)/tools.sh etcd kube-apiserver
	@[[ $${BENCH:-} != install ]] || $(E2E_DIR)/agent.sh
	@[[ $${BENCH:-} =~ ^(rbac|install)$$ ]] || $(E2E_DIR)/image.sh
	@if [[ $${BENCH:-} == service ]]; then exec $(E2E_DIR)/bench-services.sh; fi; \
	cargo test --locked --test bench
