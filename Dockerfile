# syntax=docker/dockerfile:1
# Stagegate's image: the interpreter, the locked dependencies and the program. Two stages keep build tools out of it. Both
# bases have the same Python and the same distribution.
ARG BUILD_BASE=python:3.13
ARG BASE=python:3.13-slim

FROM ${BUILD_BASE} AS build
WORKDIR /build
COPY requirements.lock .requirements-dev.lock ./
# The build tool, pinned by hash like everything else.
RUN sed -n '/^setuptools==/,/[^\\]$/p' .requirements-dev.lock > build.lock \
 && python3 -m pip install --no-cache-dir --only-binary=:all: --require-hashes --requirement build.lock
# Only wheels: nothing is compiled.
RUN python3 -m pip wheel --no-cache-dir --no-build-isolation --only-binary=:all: \
      --require-hashes --requirement requirements.lock --wheel-dir wheels
COPY pyproject.toml README.md LICENSE ./
COPY webhook webhook
COPY certs certs
COPY manifests manifests
RUN python3 -m pip wheel --no-cache-dir --no-build-isolation --no-deps --no-index --wheel-dir wheels .
RUN python3 -m venv --without-pip /opt/stagegate \
 && python3 -m pip --python /opt/stagegate/bin/python3 install --no-cache-dir --no-compile \
      --no-deps --no-index wheels/*.whl
# The asynchronous half of the Kubernetes client and debugging symbols are half of all bytes, and unused.
RUN rm -r /opt/stagegate/lib/python3.13/site-packages/kubernetes/aio \
 && find /opt/stagegate/lib -name '*.so' -exec strip --strip-unneeded {} +
# Bytecode is compiled now, because the file system is read-only later. With unchecked hashes it does not depend on the
# times of files, which a copy may change.
RUN /opt/stagegate/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /opt/stagegate/lib

FROM ${BASE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Stagegate" \
      org.opencontainers.image.description="Admission webhook and companion loop for Knative progressive rollouts" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
RUN rm -r /usr/local/lib/python3.13/ensurepip \
          /usr/local/lib/python3.13/site-packages \
          /usr/local/bin/pip* \
 && mkdir /usr/local/lib/python3.13/site-packages
COPY --from=build /opt/stagegate /opt/stagegate
# Temporary files go to memory: what the client unpacks from a kubeconfig, and the heartbeat of the worker.
ENV PATH=/opt/stagegate/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/dev/shm \
    HOME=/nonexistent
USER 65532:65532
WORKDIR /
EXPOSE 8443 8080
ENTRYPOINT ["stagegate"]
CMD ["--help"]
