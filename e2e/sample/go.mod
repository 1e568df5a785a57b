module sluice.dev/e2e/sample

go 1.26.0
