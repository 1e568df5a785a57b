# The demo, and the README's commands; included by the Makefile at the root.
.PHONY: demo readme

demo: ## A canary and a rollback under load, in a real cluster; DEMO=service for task sets, DEMO=server for hosts, CLUSTER=current for your own kubeconfig
	@e2e/demo.sh

readme: install ## Runs every command of the README against the running cluster
	@e2e/readme.sh
