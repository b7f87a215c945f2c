# syntax=docker/dockerfile:1
# A static binary and the public CAs on an empty file system.
#
#   docker build --build-arg VERSION=0.1.0 -t argocd-auth-webhook:0.1.0 .

# The digest is that of 1.95.0 for all architectures; dependabot keeps both.
FROM docker.io/library/rust:1.95.0@sha256:f49565f188ee00bc2a18dd418183f2c5f23ef7d6e691890517ed341a598f67c3 AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY certs certs
COPY src src
COPY tests tests
# With an explicit target the flags don't reach build scripts and macros, which can't be static.
# glibc's static resolver reads /etc/hosts and asks DNS without any file of its own.
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
 && RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --profile dist --target "$target" --bin argocd-auth-webhook \
 && cp "target/$target/dist/argocd-auth-webhook" /argocd-auth-webhook

FROM scratch
ARG VERSION=0.0.0
LABEL org.opencontainers.image.title="argocd-auth-webhook" \
      org.opencontainers.image.description="Gives the services of a Codefresh GitOps Runtime their Argo CD credentials as their pods are created." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build --chmod=0555 /argocd-auth-webhook /argocd-auth-webhook
# For an Argo CD over https whose certificate is of a public CA.
COPY --from=build --chmod=0444 /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 10250 9090
ENTRYPOINT ["/argocd-auth-webhook"]
