# The images of MCPFleet. `serve` is what Ray pods run: `docker build --target serve .`
# BASE is any Debian with Python, so that a registry is not needed.
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
# Where a proxy signs TLS anew, its certificate's path; pip and uv look at these.
ARG SSL_CERT_FILE
ARG PIP_CERT
WORKDIR /src
COPY requirements.lock pyproject.toml ./
# The versions are the lock's, uv's own among them; dependencies first, because sources change more often.
RUN python3 -m venv /opt/uv \
 && /opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check "$(grep -o '^uv==[0-9.]*' requirements.lock)" \
 && python3 -m venv --without-pip /opt/mcpfleet \
 && /opt/uv/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/mcpfleet \
      --constraint requirements.lock --requirement pyproject.toml --extra serve --extra node
COPY README.md LICENSE ./
COPY crds crds
COPY operator operator
COPY ray_apps ray_apps
RUN /opt/uv/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/mcpfleet --no-deps .

FROM ${BASE} AS serve
# KubeRay's probes of Ray's workers are bash and wget.
RUN command -v wget bash >/dev/null && test -e /etc/ssl/certs/ca-certificates.crt \
 || (apt-get update -q && apt-get install -y -q --no-install-recommends bash ca-certificates wget \
     && rm -rf /var/lib/apt/lists/*)
# The same ids as in Ray's own images, so that volumes and security contexts fit both.
RUN useradd --uid 1000 --gid 100 --create-home ray
COPY --from=build /opt/mcpfleet /opt/mcpfleet
ENV PATH=/opt/mcpfleet/bin:$PATH PYTHONUNBUFFERED=1
USER 1000:100
WORKDIR /home/ray
