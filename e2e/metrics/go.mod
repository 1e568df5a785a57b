module sluice.dev/e2e/metrics

go 1.26.0
