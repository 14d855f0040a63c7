# An image of the program alone: static, without a shell, run as a user without rights.
#
#   docker build --tag tollgate .                          builds the program in a container
#   docker build --build-arg PROGRAM=released …            takes dist/amd64/tollgate or dist/arm64/tollgate
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" tollgate run scenario.toml
#
# Certificate authorities are those of Mozilla, built into the program. To trust others, name a file
# as `tls_ca`, or mount one and set SSL_CERT_FILE.
ARG PROGRAM=built

FROM rust:1-alpine AS built
RUN apk add --no-cache musl-dev
WORKDIR /source
COPY . .
RUN cargo build --locked --profile dist --bin tollgate && mv target/dist/tollgate /tollgate

FROM scratch AS released
ARG TARGETARCH
COPY dist/${TARGETARCH}/tollgate /tollgate

FROM ${PROGRAM} AS program

FROM scratch
# Run folders are made in /work, so it belongs to the user.
COPY --chown=65532:65532 deploy/image/ /
COPY --from=program /tollgate /tollgate
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["/tollgate"]
CMD ["--help"]
