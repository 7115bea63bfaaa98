# Real Kubernetes clusters on this machine; tests/cluster/README.md says more. N is how many clusters.
N ?= 1
CLUSTER := PYTHONPATH=tests $(BIN)/python -m cluster

.PHONY: cluster-up
cluster-up: setup ## Start N=1 clusters with real pods, and say which kubeconfig to use
	@$(CLUSTER) up -n $(N)

.PHONY: cluster-down
cluster-down: setup ## End the clusters that cluster-up started
	@$(CLUSTER) down

.PHONY: cluster-status
cluster-status: setup ## List the test clusters on this machine
	@$(CLUSTER) status

.PHONY: cluster-build
cluster-build: setup ## Build ahead all that test clusters are made of
	@$(CLUSTER) build

.PHONY: cluster-lock
cluster-lock: setup ## Pin the modules of the test clusters anew from versions.toml
	@$(CLUSTER) lock
