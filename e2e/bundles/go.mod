module sluice.dev/e2e/bundles

go 1.26.0
