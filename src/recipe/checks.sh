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

# URL HOST STATUS FOLLOW TEXT...: redirects of the same host are followed, and those to others when FOLLOW is not empty.
gs_check_http() {
  gs_url=$1 gs_host=$2 gs_wanted=$3 gs_follow=$4 gs_next=$1 gs_tries=0
  shift 4
  while :; do
    gs_status=$(curl -gsS --noproxy '*' --max-time 10 -o "$gs_work/body" -w '%{http_code} %{redirect_url}' \
      ${gs_host:+-H "Host: $gs_host"} "$gs_next") || {
      gs_say "$gs_next does not answer"
      return 1
    }
    gs_to=${gs_status#* } gs_status=${gs_status%% *}
    [ "$gs_status" != "$gs_wanted" ] || break
    if [ -z "$gs_to" ]; then
      gs_say "$gs_url answers $gs_status, not $gs_wanted"
      return 1
    fi
    gs_tries=$((gs_tries + 1))
    if [ "$gs_tries" -gt 5 ]; then
      gs_say "$gs_url: more than 5 redirects, the last to $gs_to"
      return 1
    fi
    if [ "$(gs_host_of "$gs_to")" = "$(gs_host_of "$gs_next")" ]; then
      gs_next=$gs_to
    elif [ -n "$gs_host" ] && [ "${gs_to%%:*}" = "${gs_next%%:*}" ] &&
      [ "$(gs_host_of "$gs_to")" = "$(gs_host_of "//$gs_host")" ]; then
      # The name that was asked for: it stays with the machine that was asked.
      gs_rest=${gs_next#*//} gs_to=${gs_to#*//}/
      gs_next=${gs_next%%//*}//${gs_rest%%/*}/${gs_to#*/}
      gs_next=${gs_next%/}
    elif [ -n "$gs_follow" ]; then
      gs_next=$gs_to gs_host=
    elif [ -n "$gs_host" ] && [ "$(gs_host_of "$gs_to")" = "$(gs_host_of "//$gs_host")" ]; then
      gs_say "$gs_url answers $gs_status to $gs_to: that is ${gs_to%%:*} of the same host, which may lead to another machine: only \`follow: anywhere\` goes there"
      return 1
    else
      gs_say "$gs_url answers $gs_status to $gs_to: that is another host, where only \`follow: anywhere\` goes"
      return 1
    fi
  done
  for gs_text in "$@"; do
    grep -q -F -e "$gs_text" "$gs_work/body" || {
      gs_say "the answer of $gs_url ($(wc -c < "$gs_work/body") bytes) does not hold: $gs_text"
      return 1
    }
  done
}

# URL: its host, without a user and a port, in small letters.
gs_host_of() {
  gs_rest=${1#*//}
  gs_rest=${gs_rest%%[/?#]*}
  gs_rest=${gs_rest##*@}
  case $gs_rest in '['*) gs_rest=${gs_rest%%']'*} ;; *) gs_rest=${gs_rest%%:*} ;; esac
  printf %s "$gs_rest" | tr '[:upper:]' '[:lower:]'
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
      if [ -s "$gs_work/output" ]; then tail -n 20 "$gs_work/output"; else gs_say 'the command printed nothing'; fi
      gs_say "the output does not hold: $gs_text"
      return 1
    }
    gs_count=$((gs_count - 1))
  done
}

# HOST
gs_check_dns() {
  getent ahosts "$1" > /dev/null || {
    gs_say "the name $1 has no address here"
    return 1
  }
}

# PATH
gs_check_path() { [ -e "$1" ] || { gs_say "$1 is not there"; return 1; }; }

# EXISTS PATH MODE OWNER GROUP TEXT...
gs_check_file() {
  if [ "$1" = no ]; then
    if [ ! -e "$2" ] && [ ! -h "$2" ]; then return 0; fi
    gs_say "$2 is there"
    return 1
  fi
  gs_check_path "$2" || return 1
  gs_path=$2
  # A number is wanted as the number that it is.
  gs_owner=%U gs_group=%G
  case $4 in *[!0-9]*) ;; *) gs_owner=%u ;; esac
  case $5 in *[!0-9]*) ;; *) gs_group=%g ;; esac
  for gs_name in "%a:$3:mode" "$gs_owner:$4:owner" "$gs_group:$5:group"; do
    gs_rest=${gs_name#*:} gs_wanted=${gs_rest%%:*}
    [ -n "$gs_wanted" ] || continue
    gs_now=$(stat -L -c "${gs_name%%:*}" "$gs_path") || return 1
    [ "$gs_now" = "$gs_wanted" ] || {
      gs_say "$gs_path has the ${gs_rest#*:} $gs_now, not $gs_wanted"
      return 1
    }
  done
  shift 5
  for gs_text in "$@"; do
    grep -q -F -e "$gs_text" "$gs_path" || {
      gs_say "$gs_path does not hold: $gs_text"
      return 1
    }
  done
}

# INSTALLED NAME...
gs_check_package() {
  gs_wanted=$1
  shift
  for gs_name in "$@"; do
    gs_now=no
    if command -v dnf > /dev/null 2>&1; then
      ! gs_rpm_has "$gs_name" || gs_now=yes
    elif [ "$(dpkg-query -W -f '${db:Status-Status}' "$gs_name" 2>/dev/null)" = installed ]; then
      gs_now=yes
    fi
    case $gs_wanted-$gs_now in
      yes-no) gs_say "the package $gs_name is not installed" ;;
      no-yes) gs_say "the package $gs_name is installed" ;;
      *) continue ;;
    esac
    return 1
  done
}

# RUNNING NAME: a program of that name, as /proc tells it.
gs_check_process() {
  gs_now=no
  for gs_path in /proc/[0-9]*/comm; do
    if { read -r gs_name < "$gs_path"; } 2>/dev/null && [ "$gs_name" = "$2" ]; then gs_now=yes; fi
  done
  case $1-$gs_now in
    yes-no) gs_say "no process $2 runs" ;;
    no-yes) gs_say "a process $2 runs" ;;
    *) return 0 ;;
  esac
  return 1
}

# EXISTS NAME UID HOME SHELL GROUP...
gs_check_user() {
  gs_entry=$(getent passwd "$2") || gs_entry=
  case $1-$gs_entry in
    no-) return 0 ;;
    no-*) gs_say "there is a user $2"; return 1 ;;
    yes-) gs_say "there is no user $2"; return 1 ;;
  esac
  gs_name=$2
  gs_rest=${gs_entry#*:*:} gs_uid=${gs_rest%%:*}
  gs_rest=${gs_rest#*:*:*:} gs_home=${gs_rest%%:*} gs_shell=${gs_rest#*:}
  for gs_pair in "number:$3:$gs_uid" "home:$4:$gs_home" "shell:$5:$gs_shell"; do
    gs_rest=${gs_pair#*:}
    case $gs_rest in :* | "${gs_rest#*:}:${gs_rest#*:}") continue ;; esac
    gs_say "the user $gs_name has the ${gs_pair%%:*} ${gs_rest#*:}, not ${gs_rest%%:*}"
    return 1
  done
  shift 5
  gs_have=" $(id -nG "$gs_name") "
  for gs_group in "$@"; do
    case $gs_have in *" $gs_group "*) ;; *)
      gs_say "the user $gs_name is not in the group $gs_group"
      return 1
      ;;
    esac
  done
}
