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

# URL DIAL STATUS FOLLOW SECONDS [insecure] [header NAME VALUE | secret NAME REFERENCE]... -- TEXT...
# Asks as src/cloud/probe.rs does, and one table of cases holds for both (tests/it/recipes/redirects.rs). DIAL is where to
# connect instead of to the host of the URL. Ends with 2 where the application was never asked.
gs_check_http() {
  gs_wanted=$3 gs_follow=$4 gs_seconds=$5 gs_insecure= gs_led= gs_own=1
  gs_split "dial://$2"
  gs_dial_host=$gs_host gs_dial_port=$gs_port gs_dial=$2
  gs_split "$1"
  gs_asked=$gs_scheme gs_asked_host=$gs_host gs_asked_port=$gs_port gs_asked_login=$gs_login
  gs_connect=${gs_dial:+$gs_dial_host:$gs_dial_port}
  shift 5
  ( umask 077; : > "$gs_work/cookies"; : > "$gs_work/headers" )
  while [ "$1" != -- ]; do
    case $1 in
      insecure) gs_insecure=-k ;;
      header) printf '%s: %s\n' "$2" "$3" >> "$gs_work/headers" ;;
      secret)
        gs_secret "$3" || return 1
        { printf '%s: ' "$2" && head -n 1 "$gs_secret_file" && echo; } >> "$gs_work/headers"
        ;;
    esac
    case $1 in insecure) shift ;; *) shift 3 ;; esac
  done
  shift
  gs_tries=0
  while :; do
    gs_shown=$gs_scheme://$gs_host${gs_port:+:$gs_port}$gs_path
    gs_next=$gs_scheme://$gs_login${gs_shown#*://}
    [ -z "$gs_connect" ] || gs_shown="$gs_shown (at ${gs_connect%:})"
    gs_answer=$(curl -gsS ${gs_own:+$gs_insecure} --noproxy '*' --connect-timeout 10 --max-time "$gs_seconds" -A goldseed \
      -b "$gs_work/cookies" -c "$gs_work/cookies" ${gs_connect:+--connect-to "::$gs_connect"} \
      ${gs_own:+-H "@$gs_work/headers"} -D "$gs_work/answer" -o "$gs_work/body" \
      -w '%{http_code} %{time_pretransfer}\n%{content_type}\n%{redirect_url}\n' "$gs_next" 2> "$gs_work/why") && gs_code=0 || gs_code=$?
    { read -r gs_status gs_ready; read -r gs_type; read -r gs_to; } << END
$gs_answer
END
    if [ "$gs_code" -ne 0 ]; then
      gs_http_failed
      return
    fi
    gs_by= gs_code=1
    case $gs_status in 50[234]) ;; *)
      if grep -qi '^server: awselb' "$gs_work/answer"; then gs_by=' (the load balancer by itself)' gs_code=2; fi
      ;;
    esac
    [ "$gs_status" != "$gs_wanted" ] || break
    case $gs_status in 301 | 302 | 303 | 307 | 308) ;; *) gs_to= ;; esac
    if [ -z "$gs_to" ]; then
      gs_say "$gs_shown answers $gs_status$gs_by, not $gs_wanted"
      return "$gs_code"
    fi
    gs_led="$gs_shown answers $gs_status$gs_by to $gs_to"
    gs_tries=$((gs_tries + 1))
    if [ "$gs_tries" -gt 5 ]; then
      gs_say "$gs_shown: more than 5 redirects, the last to $gs_to"
      return 1
    fi
    gs_redirected || return "$gs_code"
  done
  gs_charset "$gs_work/body" "$gs_type"
  for gs_text in "$@"; do
    gs_page_holds || {
      gs_say "the answer of $gs_shown ($(wc -c < "$gs_work/body") bytes) does not hold: $gs_text"
      return 1
    }
  done
}

# Says why no whole answer came.
gs_http_failed() {
  gs_why=$(cat "$gs_work/why")
  case $gs_code:$gs_ready in
    28:0.000000 | [567]:* | 35:* | 5[189]:* | 60:* | 66:* | 77:* | 8[03]:* | 9[017]:*) ;;
    28:*) gs_say "$gs_shown: no whole page within $gs_seconds s"; return 1 ;;
    *) gs_say "$gs_why"; gs_say "$gs_shown: the answer broke off"; return 1 ;;
  esac
  gs_say "$gs_why"
  if [ -z "$gs_led" ]; then
    gs_say "$gs_shown does not answer"
  elif [ -n "$gs_own" ] && [ "$gs_scheme" != "$gs_asked" ]; then
    gs_say "$gs_led: that is $gs_scheme of the same host, and $gs_shown does not answer"
  else
    gs_say "$gs_led, and $gs_shown does not answer"
  fi
  return 2
}

# Where the redirect to gs_to leads: the name that was asked for stays with the machine that was asked.
gs_redirected() {
  gs_split "$gs_to"
  case $gs_scheme in http | https) ;; *)
    gs_say "$gs_led: \`$gs_scheme:\` is not followed"
    return 1
    ;;
  esac
  if [ "$gs_host" != "$gs_asked_host" ] && { [ -z "$gs_dial" ] || [ "$gs_host" != "$gs_dial_host" ]; }; then
    gs_own= gs_connect=
    [ -z "$gs_follow" ] || return 0
    gs_say "$gs_led: that is another host, where only \`follow: anywhere\` goes"
    return 1
  fi
  gs_own=1 gs_host=$gs_asked_host gs_login=$gs_asked_login
  if [ "$gs_scheme" = "$gs_asked" ] && { [ "$gs_port" = "$gs_asked_port" ] || [ "$(gs_full_port)" = "$gs_dial_port" ]; }; then
    gs_port=$gs_asked_port gs_connect=${gs_dial:+$gs_dial_host:$gs_dial_port}
  else
    gs_connect=${gs_dial:+$gs_dial_host:}
  fi
}
gs_full_port() { case $gs_scheme:$gs_port in http:) echo 80 ;; https:) echo 443 ;; *) echo "$gs_port" ;; esac; }

# URL: its parts. A port that is its scheme's own is none.
gs_split() {
  gs_scheme=$(printf %s "${1%%:*}" | tr '[:upper:]' '[:lower:]') gs_rest=${1#*://}
  gs_rest=${gs_rest%%'#'*}
  gs_host=${gs_rest%%[/?]*} gs_login= gs_port=
  gs_path=${gs_rest#"$gs_host"}
  case $gs_path in /*) ;; *) gs_path=/$gs_path ;; esac
  case $gs_host in *@*) gs_login=${gs_host%@*}@ gs_host=${gs_host##*@} ;; esac
  case $gs_host in
    '['*']') ;;
    *:*) gs_port=${gs_host##*:} gs_host=${gs_host%:*} ;;
  esac
  gs_host=$(printf %s "$gs_host" | tr '[:upper:]' '[:lower:]')
  case $gs_scheme:$gs_port in http:80 | https:443) gs_port= ;; esac
}

# FILE TYPE: the encoding of a page, as browsers find it: its byte order mark, its Content-Type, its first <meta>. What is
# called Latin-1 or ASCII is Windows-1252 to them.
gs_charset() {
  gs_encoding=$(printf %s "$2" | tr '[:upper:]' '[:lower:]' | gs_label)
  if [ -z "$gs_encoding" ]; then
    gs_encoding=$(head -c 1024 "$1" | LC_ALL=C tr '[:upper:]\000\r\n' '[:lower:]   ' | LC_ALL=C grep -o '<meta[^>]*charset[^>]*' | head -n 1 | gs_label)
    case $gs_encoding in utf-16*) gs_encoding=utf-8 ;; esac
  fi
  case $(head -c 3 "$1" | od -An -tx1 | tr -d ' \n') in
    efbbbf*) gs_encoding=utf-8 ;;
    fffe*) gs_encoding=utf-16le ;;
    feff*) gs_encoding=utf-16be ;;
  esac
  case $gs_encoding in
    iso-8859-1 | iso8859-1 | iso_8859-1 | latin1 | l1 | ascii | us-ascii | windows-1252 | x-cp1252) gs_encoding=cp1252 ;;
    iso-8859-9 | latin5) gs_encoding=cp1254 ;;
    utf-16) gs_encoding=utf-16le ;;
    '' | utf8) gs_encoding=utf-8 ;;
  esac
  [ "$gs_encoding" != utf-8 ] || return 0
  # What nobody here can read is searched as it is.
  if iconv -c -f "$gs_encoding" -t utf-8 "$1" > "$1.utf8" 2> /dev/null || [ -s "$1.utf8" ]; then mv -f "$1.utf8" "$1"; else rm -f "$1.utf8"; fi
}
gs_label() { LC_ALL=C sed -n "s/.*charset *= *[\"' ]*\([a-z0-9._:-]*\).*/\1/p"; }

# Whether the page holds gs_text. grep would take its lines for several texts.
gs_page_holds() {
  case $gs_text in
    *"$gs_nl"*)
      export gs_text
      LC_ALL=C awk '{ page = page $0 "\n" } END { exit !index(page, ENVIRON["gs_text"]) }' "$gs_work/body"
      ;;
    *) LC_ALL=C grep -q -F -e "$gs_text" "$gs_work/body" ;;
  esac
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
