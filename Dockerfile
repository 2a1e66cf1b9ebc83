# taskcat alone, for an unprivileged user: no shell, no git, no pip. For hooks and Lambda functions that need programs, copy
# /usr/local/bin/taskcat into an image that has them. Another Dockerfile's line: COPY --from=taskcat /usr/local/bin/taskcat …
#
#   docker build -t taskcat .
#   docker run --rm -v "$PWD:/project" --user "$(id -u)" taskcat test run --local
FROM rust:1.96-bookworm AS build
WORKDIR /source
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates python3-venv \
  && rm -rf /var/lib/apt/lists/*
COPY . .
# Linked statically, whatever the machine.
RUN case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x86_64 ;; esac \
  && pipeline/package.sh "$arch" \
  && mkdir -p /image/usr/local/bin /image/etc/ssl/certs /image/tmp /image/project \
  && chmod 1777 /image/tmp /image/project \
  && cp "target/pipeline/$arch/taskcat" /image/usr/local/bin/ \
  && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
COPY --from=build /image /
ENV HOME=/tmp PATH=/usr/local/bin
WORKDIR /project
USER 65532:65532
ENTRYPOINT ["taskcat"]
CMD ["--help"]
