# The real cluster in one command; included by the Makefile at the root. See e2e/README.md.
E2E_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

.PHONY: up down import install image agent tools check-cluster check-lifecycle

up: ## Start the cluster of this checkout, or find it running; then: source target/cluster/env
	@$(E2E_DIR)/up.sh

down: ## End what `make up` started, also after a crash
	@$(E2E_DIR)/down.sh

import: ## Load an image archive (OCI or Docker) into the cluster's node: ARCHIVE=image.tar
	@$(E2E_DIR)/import.sh "$(ARCHIVE)"

install: up ## (Re)install the chart with the image of the working tree
	@$(E2E_DIR)/install.sh

image: ## Build the controller's image: target/image/sluice.tar
	@$(E2E_DIR)/image.sh

agent: ## Build the hosts' program, static: target/agent/sluice-agent
	@$(E2E_DIR)/agent.sh

tools: ## Build the cluster's programs: target/tools/bin
	@$(E2E_DIR)/packages.sh
	@$(E2E_DIR)/tools.sh

check-lifecycle: ## Show that the cluster is found, imports images, and goes after a crash with all that is its own (ends it)
	@$(E2E_DIR)/check-lifecycle.sh

check-cluster: up ## Show that the cluster works: names, API server, split without loss
	@$(E2E_DIR)/check-cluster.sh
