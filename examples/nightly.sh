#!/bin/sh
# Runs one night and reports by exit code, for cron or another scheduler:
#
#   nightly.sh FOLDER
#
# FOLDER holds nightly.toml, the ledger that it names, and credentials.env with one NAME=value a line (mode 600).
# Prints only what a person has to know. Ends with the exit code of reconcile; 5 (another run is at work) counts as 0.
set -eu

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
    3) echo "The provider refuses every request. Look at keys, permission and balance today." ;;
    4) echo "The run is incomplete. The next one resumes; look only if this repeats." ;;
    5) code=0 ;;
    6) echo "Make room or give permission at the path above, then start nightly.sh again." ;;
    *) echo "reconcile was ended with code $code. Nothing is lost; start nightly.sh again." ;;
esac >&2
exit "$code"
