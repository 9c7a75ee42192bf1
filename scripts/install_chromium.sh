#!/bin/sh
# Install Debian's Chromium, in which the pages of mho are tested: scripts/install_chromium.sh  (as root, or with sudo)
set -eu
if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" -eq 0 ]; then as_root=""; else as_root="sudo"; fi
$as_root apt-get update -q
$as_root apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core
