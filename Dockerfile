# syntax=docker/dockerfile:1
FROM python:3.14-slim AS build
WORKDIR /src
RUN python -m venv /opt/enforcer
COPY requirements.lock ./
RUN /opt/enforcer/bin/pip install --no-cache-dir -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY enforcer ./enforcer
RUN /opt/enforcer/bin/pip install --no-cache-dir --no-deps .

FROM python:3.14-slim
# A fixed user without a shell; everything it may write is /data, so the root file system can be read-only.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin enforcer \
    && install -d -o enforcer -g enforcer -m 0700 /data
COPY --from=build /opt/enforcer /opt/enforcer
ENV PATH=/opt/enforcer/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ENFORCER_STORE=sqlite:////data/enforcer.db
USER enforcer
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/readyz' % os.environ.get('ENFORCER_PORT', '8080'), timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["enforcer"]
