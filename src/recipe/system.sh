# Packages, users, mounts, services, commands.

# CHOICE...: each is PLATFORM=NAMES; the nearest to this machine is taken. Ubuntu takes Debian's when it has none.
gs_package() {
  for gs_name in "$gs_os" "$gs_family" debian any; do
    case $gs_name-$gs_family in debian-debian | debian-ubuntu | any-* | "$gs_os"-* | "$gs_family"-*) ;; *) continue ;; esac
    for gs_choice in "$@"; do
      case $gs_choice in
        "$gs_name="*)
          # Names hold no blanks and no wildcards; the compiler sees to that.
          set -- ${gs_choice#*=}
          [ $# -eq 0 ] || gs_install "$@"
          return
          ;;
      esac
    done
  done
  gs_say "the step names no packages for $gs_os"
  return 1
}
gs_install() {
  if command -v dnf > /dev/null 2>&1; then
    gs_rpm_has "$@" && return 0
    # dnf waits for its lock by itself.
    gs_touch && dnf -y --setopt=install_weak_deps=False install "$@" < /dev/null
    return
  fi
  gs_apt_missing "$@" || return 0
  gs_touch || return 1
  gs_dpkg_whole || return 1
  gs_apt_renew
  gs_apt -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef \
    -o Dpkg::Options::=--force-confold install "$@" && return 0
  gs_status=$?
  for gs_name in "$@"; do
    if [ -d "$gs_root/run/sandbox/packages" ] && ! gs_apt_knows "$gs_name"; then
      gs_say "machines of the local AWS have those packages alone that scripts/setup fetched, and $gs_name is none of them"
    fi
  done
  return "$gs_status"
}
# ARGUMENT...: apt-get. It waits for the lock of dpkg by itself; for those of its lists and its archives it is called again.
gs_apt() {
  gs_end=
  while :; do
    { apt-get -q "$@" 2>&1 < /dev/null; echo "$?" > "$gs_work/apt.code"; } | tee "$gs_work/apt"
    read -r gs_status < "$gs_work/apt.code"
    [ "$gs_status" -ne 0 ] || return 0
    read -r gs_up gs_rest < /proc/uptime
    : "${gs_end:=$((${gs_up%%.*} + 300))}"
    if ! grep -q 'Could not get lock /var/\(cache/apt/archives\|lib/apt/lists\)/lock' "$gs_work/apt" || [ "${gs_up%%.*}" -ge "$gs_end" ]; then
      return "$gs_status"
    fi
    sleep 1
  done
}
gs_apt_knows() { apt-cache -q show "$1" > /dev/null 2>&1; }
# What a killed run left half-way is set right. dpkg does not wait for its lock, as apt does; whoever has it may be the one
# who is half-way.
gs_dpkg_whole() {
  gs_end=
  while [ -n "$(dpkg --audit)" ] || [ -n "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ]; do
    gs_why=$(dpkg --configure -a 2>&1 < /dev/null)
    gs_status=$?
    read -r gs_up gs_rest < /proc/uptime
    case $gs_why in
      *'locked by another process'*)
        [ -n "$gs_end" ] || gs_say "$gs_why"
        : "${gs_end:=$((${gs_up%%.*} + 300))}"
        if [ "${gs_up%%.*}" -lt "$gs_end" ]; then
          sleep 1
          continue
        fi
        ;;
    esac
    gs_say "$gs_why"
    return "$gs_status"
  done
}
# NAME...: all are installed, by what packages provide, or written as name-version or name.architecture.
gs_rpm_has() {
  rpm -q --whatprovides "$@" > /dev/null 2>&1 && return 0
  for gs_name in "$@"; do
    rpm -q --whatprovides "$gs_name" > /dev/null 2>&1 || rpm -q "$gs_name" > /dev/null 2>&1 || return 1
  done
}
# The package lists, once in a run.
gs_apt_renew() {
  [ -z "$gs_apt_fresh" ] || return 0
  gs_apt_fresh=1
  gs_tries=0
  until gs_apt update; do
    gs_tries=$((gs_tries + 1))
    if [ "$gs_tries" -ge 3 ]; then
      gs_say 'the package lists could not be renewed; going on with those that are there'
      break
    fi
    sleep 5
  done
}
# NAME...: whether any of them is missing. A name may be virtual, so that only apt knows.
gs_apt_missing() {
  for gs_name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$gs_name" 2>/dev/null)" = installed ] && continue
    gs_plan=$(apt-get -s -q --no-install-recommends install "$gs_name" 2>&1 < /dev/null) || return 0
    case $gs_nl$gs_plan in *"$gs_nl"'Inst '*) return 0 ;; esac
  done
  return 1
}

# NAME UID HOME SHELL GROUPS KIND; what is empty is left to the system, or as it is; a new user without a shell cannot log in.
gs_user() {
  gs_entry=$(getent passwd "$1") || gs_entry=
  if [ -z "$gs_entry" ]; then
    gs_touch || return 1
    gs_name=$1 gs_uid=$2 gs_home=$3 gs_shell=${4:-/usr/sbin/nologin} gs_groups=$5
    if [ "$6" = system ]; then set -- -r -M -s "$gs_shell"; else set -- -m -s "$gs_shell"; fi
    if getent group "$gs_name" > /dev/null; then set -- "$@" -g "$gs_name"; else set -- "$@" -U; fi
    [ -z "$gs_uid" ] || set -- "$@" -u "$gs_uid"
    [ -z "$gs_home" ] || set -- "$@" -d "$gs_home"
    [ -z "$gs_groups" ] || set -- "$@" -G "$gs_groups"
    useradd "$@" "$gs_name"
    return
  fi
  gs_rest=${gs_entry#*:*:} gs_uid=${gs_rest%%:*}
  gs_rest=${gs_rest#*:*:*:} gs_home=${gs_rest%%:*} gs_shell=${gs_rest#*:}
  if [ -n "$2" ] && [ "$2" != "$gs_uid" ]; then gs_touch && usermod -u "$2" "$1" || return 1; fi
  if [ -n "$3" ] && [ "$3" != "$gs_home" ]; then gs_touch && usermod -d "$3" "$1" || return 1; fi
  if [ -n "$4" ] && [ "$4" != "$gs_shell" ]; then gs_touch && usermod -s "$4" "$1" || return 1; fi
  [ -n "$5" ] || return 0
  gs_have=" $(id -nG "$1") " gs_want=$5,
  while [ "$gs_want" != , ] && [ -n "$gs_want" ]; do
    gs_name=${gs_want%%,*} gs_want=${gs_want#*,}
    case $gs_have in *" $gs_name "*) ;; *) gs_touch && usermod -a -G "$gs_name" "$1" || return 1 ;; esac
  done
}

# NAME
gs_has_user() {
  [ "$1" = root ] || getent passwd "$1" > /dev/null || {
    gs_say "there is no user $1"
    return 1
  }
}

# NAME GID KIND
gs_group() {
  gs_entry=$(getent group "$1") || gs_entry=
  if [ -n "$gs_entry" ]; then
    gs_rest=${gs_entry#*:*:}
    [ -z "$2" ] || [ "$2" = "${gs_rest%%:*}" ] || { gs_touch && groupmod -g "$2" "$1"; }
    return
  fi
  gs_touch || return 1
  gs_name=$1 gs_gid=$2
  if [ "$3" = system ]; then set -- -r; else set --; fi
  [ -z "$gs_gid" ] || set -- "$@" -g "$gs_gid"
  groupadd "$@" "$gs_name"
}

# PATH TYPE SOURCE OPTIONS
gs_mount() {
  gs_path=$1 gs_type=$2 gs_source=$3 gs_options=$4
  case $gs_type in
    bind)
      # systemd would make an empty folder of it and mount that.
      [ -f "$gs_source" ] || gs_is_folder "$gs_source" || return 1
      gs_type=none gs_options=bind,nofail${gs_options:+,$gs_options}
      ;;
    nfs4) gs_nfs_options ;;
    efs)
      if command -v mount.efs > /dev/null 2>&1; then
        gs_options=_netdev,nofail,x-systemd.mount-timeout=30s${gs_options:+,$gs_options}
      else
        case ,$gs_options, in *,tls,* | *,iam,*)
          gs_say 'the options tls and iam need the package amazon-efs-utils'
          return 1
          ;;
        esac
        gs_find_region || return 1
        gs_find_domain "$gs_region"
        gs_type=nfs4 gs_source=${gs_source%%:*}.efs.$gs_region.$gs_domain:${gs_source#*:}
        gs_nfs_options
      fi
      ;;
  esac
  if ! gs_mounted "$gs_path" && [ -n "$(ls -A "$gs_path" 2>/dev/null)" ]; then
    gs_say "$gs_path is not empty; what is in it would be hidden by the mount: move it away first"
    return 1
  fi
  [ -e "$gs_root/etc/fstab" ] || : > "$gs_root/etc/fstab"
  gs_wanted="$gs_source $gs_path $gs_type $gs_options 0 0" gs_point=$gs_path gs_before=$gs_changed
  export gs_wanted gs_point
  gs_edit "$gs_root/etc/fstab" '
    BEGIN { wanted = ENVIRON["gs_wanted"]; point = ENVIRON["gs_point"] }
    $1 !~ /^#/ && $2 == point { if (!found) print wanted; found = 1; next }
    { print }
    END { if (!found) print wanted }' || return 1
  if gs_mounted "$gs_path"; then
    [ "$gs_before" = "$gs_changed" ] && return 0
    # It is mounted by another line than the one that stands there now.
    umount "$gs_path" || return 1
  fi
  gs_touch || return 1
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
  mkdir -p "$gs_path" || return 1
  # An immutable mount point: what is written while nothing is mounted fails at once and is not lost under the mount.
  chattr +i "$gs_path" 2>/dev/null || :
  gs_tries=0
  until gs_mount_now "$gs_path"; do
    gs_tries=$((gs_tries + 1))
    [ "$gs_tries" -lt 3 ] || return 1
    sleep 3
  done
}
# Before the options that are given: Amazon's advice for EFS over plain NFS, without what is given otherwise.
gs_nfs_options() {
  gs_given=$gs_options gs_options=_netdev,nofail,x-systemd.mount-timeout=30s
  for gs_name in nfsvers=4.1 rsize=1048576 wsize=1048576 hard timeo=600 retrans=2 noresvport; do
    case $gs_name,$gs_given, in
      *",${gs_name%%=*}="* | *",${gs_name%%=*},"* | nfsvers=*,vers=* | nfsvers=*,v4* | nfsvers=*,minorversion=* | \
        hard,*soft,* | hard,*softerr,* | noresvport,resvport,* | noresvport,*,resvport,*) ;;
      *) gs_options=$gs_options,$gs_name ;;
    esac
  done
  gs_options=$gs_options${gs_given:+,$gs_given}
}
# PATH: systemd may be mounting it already; its job is joined, a second mount would lie on the first.
gs_mount_now() {
  if [ -d /run/systemd/system ]; then
    systemctl start "$(systemd-escape -p --suffix=mount "$1")" || :
  fi
  gs_mounted "$1" || mount "$1"
}

# STATE ENABLED NAME...
# Notes that a recipe wants a service at boot: machines of goldseed's own hold back what no recipe asks for.
gs_note_service() {
  case $1 in *.*) gs_unit=$1 ;; *) gs_unit=$1.service ;; esac
  gs_notes=$gs_root/opt/goldseed/services
  ! grep -qxF "$gs_unit" "$gs_notes" 2>/dev/null || return 0
  mkdir -p "${gs_notes%/*}" && echo "$gs_unit" >> "$gs_notes"
}

# CHOICE... -- FUNCTION ARGUMENT...: calls it with the names of this platform; CHOICE is PLATFORM=NAME NAME...
gs_named() {
  for gs_name in "$gs_os" "$gs_family" debian; do
    case $gs_name-$gs_family in debian-debian | debian-ubuntu | "$gs_os"-* | "$gs_family"-*) ;; *) continue ;; esac
    for gs_choice in "$@"; do
      case $gs_choice in
        --) break ;;
        "$gs_name="*)
          while [ "$1" != -- ]; do shift; done
          shift
          # Names hold no blanks and no wildcards; the compiler sees to that.
          "$@" ${gs_choice#*=}
          return
          ;;
      esac
    done
  done
  gs_say "nothing is named here for $gs_os"
  return 1
}

gs_service() {
  gs_wanted=$1 gs_enabled=$2
  shift 2
  # During boot a unit that waits for this script must not be waited for.
  gs_wait=${gs_booting:+--no-block}
  for gs_name in "$@"; do
    case $gs_enabled in
      enabled)
        systemctl -q is-enabled "$gs_name" 2>/dev/null || { gs_touch && systemctl enable "$gs_name"; } || return 1
        gs_note_service "$gs_name" || return 1
        ;;
      disabled) ! systemctl -q is-enabled "$gs_name" 2>/dev/null || { gs_touch && systemctl disable "$gs_name"; } || return 1 ;;
    esac
    case $gs_wanted in
      running) systemctl -q is-active "$gs_name" || { gs_touch && gs_start_service "$gs_name"; } || return 1 ;;
      stopped) ! systemctl -q is-active "$gs_name" || { gs_touch && systemctl stop $gs_wait "$gs_name"; } || return 1 ;;
    esac
  done
}

# systemd keeps what it has read of units: a file that changed, a drop-in folder that came later or a unit that overrides
# another one counts only after this. It does not always know that itself (NeedDaemonReload).
gs_reread_units() { [ ! -d /run/systemd/system ] || systemctl daemon-reload; }

# NAME: to systemd it is a success that a condition prevents a start, and that what was started dies right after it.
gs_start_service() {
  gs_reread_units && systemctl start $gs_wait "$1" || return 1
  [ -n "$gs_wait" ] || gs_must_have_started "$1"
}
gs_must_have_started() {
  # systemd forgets at once what it knew of a unit that is over; the files of the unit are there to be read.
  gs_shown=$gs_nl$(systemctl show -p Type -p DropInPaths "$1")$gs_nl
  case $gs_shown in
    # Its end was waited for.
    *"${gs_nl}Type=oneshot$gs_nl"*) return 0 ;;
    # It was only forked yet.
    *"${gs_nl}Type=simple$gs_nl"* | *"${gs_nl}Type=exec$gs_nl"* | *"${gs_nl}Type=idle$gs_nl"*) sleep 1 ;;
  esac
  gs_now=$(systemctl is-active "$1")
  case $gs_now-$gs_shown in
    active-* | reloading-*) ;;
    # As `seed.yaml` does with cron and what else makes a machine work as one of the environment.
    inactive-*/90-goldseed.conf*) gs_say "$1 is held back on this machine: it will start on those of the environment" ;;
    inactive-*)
      gs_say "$1 does not run after its start: it was over at once, or a condition of its unit does not hold (journalctl -u $1)"
      return 1
      ;;
    *)
      gs_say "$1 was started and is $gs_now right after that (journalctl -u $1)"
      return 1
      ;;
  esac
}

# ACTION NAME...: what is not running is left alone; it will read its new files when it starts.
gs_handle_service() {
  gs_action=$1
  shift
  for gs_name in "$@"; do
    if ! systemctl -q is-active "$gs_name"; then
      [ "$(systemctl show -p LoadState "$gs_name")" = LoadState=not-found ] || continue
      gs_say "there is no service $gs_name here"
      return 1
    fi
    gs_changed=changed
    gs_reread_units || return 1
    case $gs_action in reload) systemctl reload-or-restart "$gs_name" ;; *) systemctl restart "$gs_name" ;; esac || return 1
  done
}

# WORD CONDITION USER FOLDER SECONDS COMMAND [VARIABLE=PARAMETER=REFERENCE]... -- [NAME=VALUE]...
gs_run() {
  gs_word=$1 gs_condition=$2 gs_user=$3 gs_folder=$4 gs_seconds=$5 gs_command=$6
  shift 6
  while [ "$1" != -- ]; do
    gs_rest=${1#*=}
    gs_secret "${gs_rest#*=}" || return 1
    gs_value=$(cat "$gs_secret_file")
    gs_rest=${1%%=*}
    shift
    set -- "$@" "$gs_rest=$gs_value"
  done
  shift
  case $gs_word in
    unless) ! gs_shell "$gs_condition" "$@" > /dev/null 2>&1 || return 0 ;;
    only-if)
      gs_shell "$gs_condition" "$@" > "$gs_work/output" 2>&1
      gs_status=$?
      gs_could_ask 'this command is needed' "$gs_condition" || return 1
      [ "$gs_status" -eq 0 ] || return 0
      ;;
    creates) [ ! -e "$gs_condition" ] || return 0 ;;
  esac
  gs_touch || return 1
  # The first line that fails ends it; of a question the last one is the answer.
  gs_flags=-e
  gs_shell "$gs_command" "$@"
  gs_status=$? gs_flags=
  [ ! -e "$gs_script" ] || rm -f "$gs_script"
  if [ "$gs_status" -eq 124 ] && [ "$gs_seconds" != 0 ]; then gs_say "the command was stopped after $gs_seconds s"; fi
  if [ "$gs_status" -eq 0 ] && [ "$gs_word" = creates ] && [ ! -e "$gs_condition" ]; then
    gs_say "the command succeeded, but $gs_condition is not there"
    return 1
  fi
  return "$gs_status"
}
# WHAT CONDITION: whether it is so could be asked. What is not there or cannot be run ended with gs_status, and is no answer.
gs_could_ask() {
  case $gs_status in 126 | 127) ;; *) return 0 ;; esac
  tail -n 20 "$gs_work/output"
  gs_say "whether $1 cannot be asked: \`$2\` ended with $gs_status, as what is not there or cannot be run does"
  return 1
}
# COMMAND [NAME=VALUE]...: as gs_user, in gs_folder, for gs_seconds at most. Where that cannot be it ends with 126.
gs_shell() {
  (
    gs_command=$1
    shift
    gs_is_folder "$gs_folder" && cd "$gs_folder" || exit 126
    if [ "$gs_user" != root ]; then
      gs_has_user "$gs_user" && gs_entry=$(getent passwd "$gs_user") || exit 126
      gs_rest=${gs_entry#*:*:*:*:*:} HOME=${gs_rest%%:*} USER=$gs_user LOGNAME=$gs_user
      export HOME USER LOGNAME
    fi
    for gs_value in "$@"; do export "$gs_value"; done
    gs_first=
    case $gs_flags$gs_command in -e'#!'*) gs_first=${gs_command%%"$gs_nl"*} gs_first=${gs_first#'#!'} ;; esac
    set -f
    set -- $gs_first
    set +f
    # A sole dash ends the options, and ours are still to come.
    case $#${2:-} in 2- | 2--) set -- "$1" ;; esac
    case ${1:-sh} in
      sh | */sh)
        [ $# -eq 0 ] || shift
        set -- sh ${gs_flags:+"$gs_flags"} "$@" -c "$gs_command"
        ;;
      *)
        # Another program reads it from a file of the user's own; other shells end at the first failure too.
        command -v "$1" > /dev/null || { gs_say "the script is for $1, and that is not here; a package step has to bring it first"; exit 127; }
        gs_stops=
        for gs_name in "$@"; do
          case ${gs_name##*/} in sh | ash | bash | dash | ksh | mksh | zsh) gs_stops=-e ;; esac
        done
        umask 077
        printf '%s\n' "$gs_command" > "$gs_script" && chown "$gs_user" "$gs_script" || exit 126
        umask 022
        gs_name=$1
        shift
        set -- "$gs_name" ${1:+"$*"} ${gs_stops:+"$gs_stops"} "$gs_script"
        ;;
    esac
    [ "$gs_user" = root ] || set -- runuser -u "$gs_user" -- "$@"
    [ "$gs_seconds" = 0 ] || set -- timeout -k 10 "$gs_seconds" "$@"
    exec "$@" < /dev/null
  )
}
