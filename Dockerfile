# docker build -t foodlog . && docker run -p 5000:5000 -v foodlog:/data foodlog
# Running it, and the variables it takes: docs/deploy.md.

FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
# Built with the image's pip, so that the environment itself holds FoodLog and what it imports.
RUN python -m venv --without-pip /opt/foodlog
RUN python -m pip --python /opt/foodlog/bin/python install --no-cache-dir --quiet \
    --disable-pip-version-check --constraint constraints.txt ".[aws,heic]"

FROM python:3.13-slim
RUN python -m pip uninstall --yes --quiet --root-user-action ignore pip
# Turns phones' photos without encoding them again.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libturbojpeg0 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin foodlog
RUN mkdir -p /data
RUN chown foodlog:foodlog /data
COPY --from=build /opt/foodlog /opt/foodlog
COPY config/*.yaml /etc/foodlog/
ENV PATH=/opt/foodlog/bin:$PATH
ENV PYTHONDONTWRITEBYTECODE=1
ENV HOST=0.0.0.0
ENV PORT=5000
ENV FOODLOG_DATA=/data
ENV FOODLOG_LOG_FORMAT=json
USER foodlog
WORKDIR /data
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=4)"]
CMD ["foodlog", "serve"]
