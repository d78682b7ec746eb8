#!/bin/sh
# Runs one night, for cron or another scheduler:
#
#   nightly.sh FOLDER
#
# FOLDER holds nightly.toml, the ledger that it names, and credentials.env (mode 600) with one
# NAME=value per line. The script prints only what a person must do. It ends with the exit code of
# reconcile, but turns 5 (another run is active) into 0.
set -eu
# Other users of the machine cannot read the outputs.
umask 027

cd "${1:?usage: nightly.sh FOLDER}"

if [ -f credentials.env ]; then
    set -a
    # shellcheck disable=SC1091
    . ./credentials.env
    set +a
fi

code=0
reconcile --config nightly.toml || code=$?

case $code in
    0 | 1) ;;
    2) echo "Correct what the message above names, then start nightly.sh again." ;;
    3)
        echo "The provider refuses every request, or was never reached."
        echo "Check keys, permission, balance and network today."
        ;;
    4) echo "The run is incomplete. The next one resumes; look only if this repeats." ;;
    5) code=0 ;;
    6) echo "Free space or give permission at the path above, then start nightly.sh again." ;;
    *) echo "reconcile ended with code $code. Nothing is lost; start nightly.sh again." ;;
esac >&2
exit "$code"
