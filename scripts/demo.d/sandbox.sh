# shellcheck shell=bash
# shellcheck disable=SC2154  # what scripts/demo sets
# The sandbox's process, what it made, and its endpoint.

kept=/var/lib/goldseed-sandbox

# Machines are containers of an engine that runs as root.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -- "$@"; fi
}

# Tells whether this demo's sandbox runs. Its process id may be another's by now: the command line decides.
sandbox_runs() {
    local pid
    pid=$(cat "$demo/sandbox.pid" 2>/dev/null) && [ -n "$pid" ] &&
        tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -- "$state"
}

start_sandbox() {
    # Its credentials stand in its log.
    rm -f "$log" && (umask 077 && : >"$log")
    # In a session of its own, so that Ctrl-C here is not for it, and on a port that is free.
    # shellcheck disable=SC2016  # for the shell that is started
    as_root sh -c 'pid_file=$1 && shift && { setsid "$@" & } && echo $! >"$pid_file"' sh "$demo/sandbox.pid" \
        env GOLDSEED_PACE="$pace" "$goldseed" sandbox serve --demo --listen 127.0.0.1:0 --state "$state" \
        >"$log" 2>&1 </dev/null 9<&-
    wait_for 180 'the database' grep -q '^export GOLDSEED_DEMO_DATABASE=' "$log"
}

# Writes what a shell needs to use the sandbox.
write_environment() {
    rm -f "$demo/env" && (umask 077 && : >"$demo/env")
    {
        echo "# For a shell of yours: . $demo/env"
        grep '^export ' "$log"
        echo "export GOLDSEED_PACE=$pace"
        # What a shell may be set up with for the real AWS, or for the way out.
        echo 'unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL_EC2 AWS_ENDPOINT_URL_ELASTIC_BEANSTALK' \
            'AWS_ENDPOINT_URL_SSM AWS_ENDPOINT_URL_STS'
        # shellcheck disable=SC2016  # for the shell that reads it
        echo 'export NO_PROXY="127.0.0.1${NO_PROXY:+,$NO_PROXY}"'
        # shellcheck disable=SC2016
        printf 'case ":$PATH:" in *:%q:*) ;; *) export PATH=%q:"$PATH" ;; esac\n' "${goldseed%/*}" "${goldseed%/*}"
    } >"$demo/env"
}

# The shell's own kill: there may be no program of that name.
# shellcheck disable=SC2016  # for the shell that is started
end_sandbox() { as_root sh -c 'kill -s "$1" "$2"' sh "$1" "$2"; }

# Ends the sandbox, which removes what it made; what one that was killed left behind goes with its label.
stop_sandbox() {
    local pid deadline=$((SECONDS + 120))
    if sandbox_runs; then
        pid=$(cat "$demo/sandbox.pid")
        end_sandbox TERM "$pid"
        while sandbox_runs && [ $SECONDS -lt $deadline ]; do sleep 0.2; done
        if sandbox_runs; then end_sandbox KILL "$pid"; fi
    fi
    remove_labelled
    if [ -e "$state" ]; then as_root rm -rf "$state"; fi
}

# The engine that scripts/setup chose, with root's rights.
engine() { as_root "$(head -n 1 "$kept/engine")" "$@"; }

# Removes containers, images and networks under this sandbox's label: the digest of its folder's path.
remove_labelled() {
    local filter
    filter=label=goldseed.sandbox=$(printf %s "$state" | sha256sum | cut -c 1-8)
    # Without an engine chosen, nothing was ever started.
    if [ ! -s "$kept/engine" ]; then return; fi
    each_of kill --signal KILL -- ps --quiet
    each_of rm --force --volumes -- ps --all --quiet
    each_of rmi --force -- images --quiet
    each_of network rm -- network ls --quiet
}

# Does something with each thing that the engine lists under `filter`: the command, `--`, how they are listed.
each_of() {
    local action=() thing
    while [ "$1" != -- ]; do
        action+=("$1")
        shift
    done
    shift
    for thing in $(engine "$@" --filter "$filter" | sort -u); do
        engine "${action[@]}" "$thing" >/dev/null
    done
}

# ---- The endpoint: what an AWS client would ask ------------------------------------------------------------------

call() {
    local service=$1
    shift
    # The sandbox compares the access key id, and verifies no signature.
    # It opens the sandbox, so it goes by a descriptor: arguments are shown to every user of this computer.
    curl --silent --show-error --fail-with-body --noproxy '*' --max-time 30 \
        --header @<(printf 'Authorization: AWS4-HMAC-SHA256 Credential=%s/20260101/%s/%s/aws4_request, SignedHeaders=host, Signature=none\n' \
            "$AWS_ACCESS_KEY_ID" "$AWS_REGION" "$service") \
        "$@" "$AWS_ENDPOINT_URL/"
}

beanstalk() {
    call elasticbeanstalk --data-urlencode "Action=$1" --data-urlencode Version=2010-12-01 \
        --data-urlencode "${2:-EnvironmentName}=$environment"
}

instance() { call ec2 --data-urlencode Action=DescribeInstances --data-urlencode Version=2016-11-15 --data-urlencode "InstanceId.1=$1"; }

# Systems Manager: the operation; its JSON comes on standard input, where no list of processes shows it.
systems_manager() {
    call ssm --header 'Content-Type: application/x-amz-json-1.1' --header "X-Amz-Target: AmazonSSM.$1" --data-binary @-
}

# Prints the texts of an XML element on standard input, one a line.
element() { grep -o "<$1>[^<]*" | cut -d '>' -f 2; }

environment_is_well() {
    local answer
    answer=$(beanstalk DescribeEnvironments EnvironmentNames.member.1) &&
        [ "$(element Status <<<"$answer")" = Ready ] && [ "$(element HealthStatus <<<"$answer")" = Ok ]
}

# Fills `ids`, `addresses` and `images`, an entry for each instance of the environment.
look_at_instances() {
    local id answer
    ids=() addresses=() images=()
    for id in $(beanstalk DescribeEnvironmentResources | element Id | grep '^i-'); do
        answer=$(instance "$id")
        ids+=("$id")
        addresses+=("$(element privateIpAddress <<<"$answer" | head -n 1)")
        images+=("$(element imageId <<<"$answer" | head -n 1)")
    done
    [ ${#ids[@]} -ge 2 ] || fail "$environment has ${#ids[@]} instance(s), and two were to be there"
}
