# One static binary in an otherwise empty image. `make image` builds it without a container engine,
# with the host's compiler in place of the first stage.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# glibc's static resolver reads /etc/hosts and asks the cluster's DNS, without any file of its own.
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --target "$target" \
 && cp "target/$target/release/argocd-auth-webhook" /argocd-auth-webhook

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="argocd-auth-webhook" \
      org.opencontainers.image.description="Gives the services of a Codefresh GitOps Runtime their Argo CD credentials as their pods are created" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /argocd-auth-webhook /argocd-auth-webhook
# By number: kubelet can then tell that it isn't root.
USER 65532:65532
ENTRYPOINT ["/argocd-auth-webhook"]
