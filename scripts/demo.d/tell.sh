# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # what scripts/demo uses and sets
# What the demo says, and how it waits.

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' plain=$'\e[0m'
fi

stage=''
stage_started=0
times=()

say() { printf '%s\n' "$*"; }

# Begins a stage: its name, then what it shows.
begin() {
    stage=$1
    stage_started=$SECONDS
    printf '\n%s== %s ==%s\n' "$bold" "$2" "$plain"
}

# Ends the stage, and remembers how long it took.
end() { times+=("$(printf '%4d s  %s' "$((SECONDS - stage_started))" "$stage")"); }

# Something was looked at, and it holds.
holds() { printf '   %sholds%s  %s\n' "$bold" "$plain" "$*"; }

fail() {
    printf '\n%sdemo: %s%s\n' "$bold" "$*" "$plain" >&2
    exit 1
}

# Waits until a command succeeds: the seconds it may take, what is waited for, the command.
wait_for() {
    local allowed=$1 what=$2 until=$((SECONDS + $1)) missed=0
    shift 2
    until "$@"; do
        # A process that is just being started is not seen for a moment.
        if sandbox_runs; then missed=0; else missed=$((missed + 1)); fi
        [ $missed -lt 3 ] || fail "the sandbox ended while the demo waited for $what: $(tail -n 3 "$log")"
        [ $SECONDS -lt $until ] || fail "$what did not come within $allowed s"
        sleep 0.5
    done
}
