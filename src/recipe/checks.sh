# Checks. SECONDS FUNCTION ARGUMENT...: tries until it succeeds or the time is over; only the last failure is shown.
gs_within() {
  gs_limit=$1
  shift
  read -r gs_up gs_rest < /proc/uptime
  gs_end=$((${gs_up%%.*} + gs_limit))
  until gs_why=$("$@" 2>&1); do
    read -r gs_up gs_rest < /proc/uptime
    if [ "${gs_up%%.*}" -ge "$gs_end" ]; then
      gs_say "$gs_why"
      return 1
    fi
    sleep 1
  done
}

# URL HOST STATUS TEXT...
gs_check_http() {
  gs_url=$1 gs_host=$2 gs_wanted=$3
  shift 3
  gs_status=$(curl -gsS --noproxy '*' --max-time 10 -o "$gs_work/body" -w '%{http_code}' ${gs_host:+-H "Host: $gs_host"} "$gs_url") ||
    return 1
  if [ "$gs_status" != "$gs_wanted" ]; then
    gs_say "$gs_url answers $gs_status, not $gs_wanted"
    return 1
  fi
  for gs_text in "$@"; do
    grep -q -F -e "$gs_text" "$gs_work/body" || {
      gs_say "the answer of $gs_url ($(wc -c < "$gs_work/body") bytes) does not hold: $gs_text"
      return 1
    }
  done
}

# PORT HEXADECIMAL: somebody listens. State 0A is LISTEN.
gs_check_port() {
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk -v port=":$2" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }' || {
    gs_say "nobody listens on port $1"
    return 1
  }
}

# STATE NAME...
gs_check_service() {
  gs_wanted=$1
  shift
  for gs_name in "$@"; do
    gs_state_now=$(systemctl is-active "$gs_name")
    case $gs_wanted-$gs_state_now in running-active | stopped-inactive | stopped-failed | stopped-unknown) ;; *)
      gs_say "the service $gs_name is $gs_state_now, not $gs_wanted"
      return 1
      ;;
    esac
  done
}

# PATH
gs_check_mount() { gs_mounted "$1" || { gs_say "nothing is mounted on $1"; return 1; }; }

# USER COMMAND TEXT... -- [NAME=VALUE]...
gs_check_command() {
  gs_user=$1 gs_folder=/ gs_seconds=$gs_limit gs_command=$2
  [ "$gs_seconds" -gt 0 ] || gs_seconds=1
  shift 2
  gs_count=0
  while [ "$1" != -- ]; do
    gs_count=$((gs_count + 1))
    printf %s "$1" > "$gs_work/text.$gs_count"
    shift
  done
  shift
  gs_shell "$gs_command" "$@" > "$gs_work/output" 2>&1 || {
    gs_status=$?
    tail -n 20 "$gs_work/output"
    if [ "$gs_status" -eq 124 ]; then gs_say "the command was stopped after $gs_seconds s"; fi
    gs_say "the command ended with $gs_status"
    return 1
  }
  while [ "$gs_count" -gt 0 ]; do
    gs_text=$(cat "$gs_work/text.$gs_count")
    grep -q -F -e "$gs_text" "$gs_work/output" || {
      gs_say "the output does not hold: $gs_text"
      return 1
    }
    gs_count=$((gs_count - 1))
  done
}
