#!/usr/bin/env bash
# Installs the real servers that the tests use, on Debian and Ubuntu, without a question. Needs root or `sudo -n`.
set -euo pipefail

packages=(
  redis-server
)

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "real servers: all there (${packages[*]})"
  exit 0
fi

sudo=()
if [ "$(id -u)" -ne 0 ]; then sudo=(sudo -n); fi
quiet=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1)
echo "real servers: installing ${missing[*]}"
"${sudo[@]}" "${quiet[@]}" apt-get update -qq </dev/null || echo "real servers: the package lists could not be refreshed" >&2
"${sudo[@]}" "${quiet[@]}" apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 "${missing[@]}" </dev/null

# The tests start servers of their own, on free ports: those of the packages are not needed.
for package in "${missing[@]}"; do
  "${sudo[@]}" service "$package" stop >/dev/null 2>&1 || true
  "${sudo[@]}" update-rc.d "$package" disable >/dev/null 2>&1 || true
done
