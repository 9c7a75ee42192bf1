#!/bin/sh
# Open the pages of sweeps in a real headless Chromium, without a network, and keep pictures of them to look at:
#   scripts/browser_test.sh [FOLDER FOR PICTURES]
set -eu
cd "$(dirname "$0")/.."
scripts/install_chromium.sh
MHO_PICTURES="$(realpath -m "${1:-pictures}")"
export MHO_PICTURES
mkdir -p "$MHO_PICTURES"
python -m pytest -p no:xdist -m slow tests/sweep/test_sweep_report_browser.py
