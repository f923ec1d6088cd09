// The definitions of the Prometheus operator, pinned; nothing of it is built.
module stagegate.dev/foreign/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.94.1
