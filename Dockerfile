# The search page and HTTP API over an index, on a CPU, as a user without rights.
#   docker build -t retrieval .
#   docker run -p 8000:8000 -v "$PWD/indexes:/indexes:ro" retrieval /indexes/mine
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY retrieval retrieval
COPY configs configs
# PIP_OPTIONS="--extra-index-url ..." chooses PyTorch's builds for CPUs alone, which are a tenth of the size
ARG PIP_OPTIONS=""
RUN python -m venv /opt/retrieval && /opt/retrieval/bin/pip install --no-cache-dir $PIP_OPTIONS ".[server]"

FROM python:3.12-slim
COPY --from=build /opt/retrieval /opt/retrieval
RUN useradd --create-home --uid 10001 reader
USER reader
ENV PATH=/opt/retrieval/bin:$PATH HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["retrieval", "serve", "--host", "0.0.0.0"]
CMD ["/indexes/mine"]
