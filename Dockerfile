# syntax=docker/dockerfile:1
# Stagegate's image: the interpreter, the locked dependencies, the program. It is built in two stages, so that nothing
# that builds is in the second one. Both bases are of one Python and one distribution.
ARG BUILD_BASE=python:3.13
ARG BASE=python:3.13-slim

FROM ${BUILD_BASE} AS build
WORKDIR /build
COPY requirements.lock .requirements-dev.lock ./
# What builds, by its hash like everything else.
RUN sed -n '/^setuptools==/,/[^\\]$/p' .requirements-dev.lock > build.lock \
 && python3 -m pip install --no-cache-dir --only-binary=:all: --require-hashes --requirement build.lock
# Wheels only: nothing is compiled here.
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
# The asynchronous half of the Kubernetes client, and debugging symbols: half of all bytes, and nothing here uses them.
RUN rm -r /opt/stagegate/lib/python3.13/site-packages/kubernetes/aio \
 && find /opt/stagegate/lib -name '*.so' -exec strip --strip-unneeded {} +
# Nobody can write bytecode later; by hash it stays good whatever a copy does to the times of files.
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
# All that is ever written goes to memory: what the client unpacks from a kubeconfig, and a worker's signs of life.
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
