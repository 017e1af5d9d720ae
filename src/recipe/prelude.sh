# What every compiled script begins with. It works under dash, bash --posix and busybox, with mawk, gawk and busybox awk.
# All functions check first and change only what differs; each takes its values as words. Names begin with gs_.
set -u
umask 022
unset CDPATH ENV BASH_ENV GREP_OPTIONS
HOME=/root
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C.UTF-8
DEBIAN_FRONTEND=noninteractive
NEEDRESTART_SUSPEND=1
export HOME PATH LC_ALL DEBIAN_FRONTEND NEEDRESTART_SUSPEND
cd /

# Our own folders (and those of the system that tests may not touch) stand under GOLDSEED_ROOT, which is empty on a node.
gs_root=${GOLDSEED_ROOT:-}
gs_state=$gs_root/var/lib/goldseed
gs_runtime=$gs_root/run/goldseed
gs_work=$gs_runtime/work.$$
gs_script=$gs_runtime/work.script.$$
gs_nl='
'
gs_id= gs_changed= gs_notify= gs_other= gs_pass= gs_redone= gs_apt_fresh= gs_booting= gs_flags= gs_keep= gs_imds_token= gs_region=

gs_say() { printf '%s\n' "$*"; }

# ID WORD [CODE]: a line of the protocol; the time is /proc/uptime in hundredths of a second.
gs_emit() {
  read -r gs_up gs_rest < /proc/uptime
  printf '@@%s %s %s %s\n' "$gs_nonce" "${gs_up%.*}${gs_up#*.}" "$1" "$2${3:+ $3}"
}

# ID FUNCTION ARGUMENT...: does one step; the first that fails ends the script.
gs_step() {
  gs_id=$1
  shift
  gs_changed=$gs_redone
  gs_emit "$gs_id" start
  "$@"
  gs_code=$?
  gs_notify=
  if [ "$gs_code" -ne 0 ]; then
    gs_remove_temporary
    gs_emit "$gs_id" failed "$gs_code"
    exit 1
  fi
  gs_emit "$gs_id" "${gs_changed:-ok}"
}

gs_skip() { gs_emit "$1" skipped; gs_notify=; }

# Says that something is about to change: what is to be notified is on the disk before.
gs_touch() {
  gs_changed=changed
  for gs_name in $gs_notify; do
    : > "$gs_state/pending/$gs_name" || return 1
  done
}

# ID NAME FUNCTION ARGUMENT...: a handler, if it is pending; it stays so until it has succeeded.
gs_handler() {
  gs_pending=$gs_state/pending/$2
  if [ ! -e "$gs_pending" ]; then
    gs_skip "$1"
    return
  fi
  gs_handler_id=$1
  shift 2
  gs_step "$gs_handler_id" gs_handle "$gs_pending" "$@"
}
gs_handle() {
  gs_handled=$1
  shift
  "$@" && rm -f "$gs_handled"
}

gs_open() {
  if [ ! -d "$gs_runtime" ]; then mkdir -p "$gs_runtime" || exit 1; fi
  # Scripts of other users are read from here, and who made it may have made it for root alone.
  chmod 0755 "$gs_runtime" || exit 1
  if [ ! -d "$gs_state/pending" ] || [ ! -d "$gs_state/archives" ]; then
    ( umask 077; mkdir -p "$gs_state/pending" "$gs_state/archives" ) || exit 1
  fi
  # What a killed run left: what belongs to dead processes, and temporary files.
  for gs_old in "$gs_runtime"/work.*; do
    [ ! -e "$gs_old" ] || kill -0 "${gs_old##*.}" 2>/dev/null || rm -rf "$gs_old"
  done
  [ ! -e "$gs_work" ] || rm -rf "$gs_work"
  mkdir -m 0700 "$gs_work" || exit 1
  gs_remove_temporary
  gs_undo_unchecked || exit 1
  gs_os=$( . /etc/os-release && printf '%s-%s' "$ID" "${VERSION_ID:-}" )
  case $gs_os in amzn-2023*) gs_os=al2023 ;; esac
  gs_family=${gs_os%%-*}
}
# The temporary files of a step that did not come to its end.
gs_remove_temporary() {
  [ -s "$gs_state/temporary" ] || return 0
  while IFS= read -r gs_old; do
    case $gs_old in /*'.~goldseed') rm -rf "$gs_old" ;; esac
  done < "$gs_state/temporary"
  : > "$gs_state/temporary"
}
gs_close() { rm -rf "$gs_work"; }

# KEPT...
# What recipes tell the bridge holds for one apply: lists that its own steps do not write are of an earlier one's recipes.
# So it is with what is to be taken away before an image is made.
gs_forget_lists() {
  [ ! -e "$gs_root/opt/goldseed/generalise.d/seed-steps" ] || rm -f "$gs_root/opt/goldseed/generalise.d/seed-steps"
  for gs_list in "$gs_root"/opt/goldseed/bridge/apps.d/* "$gs_root"/opt/goldseed/bridge/mounts.d/*; do
    gs_kept=
    for gs_name in "$@"; do
      [ "$gs_root$gs_name" != "$gs_list" ] || gs_kept=1
    done
    [ -n "$gs_kept" ] || [ ! -e "$gs_list" ] || rm -rf "$gs_list"
  done
}

# PLATFORM...: this machine is one of them.
gs_supports() {
  for gs_name in "$@"; do
    case $gs_name in "$gs_os" | "$gs_family") return 0 ;; esac
  done
  gs_say "this machine is $gs_os; the recipe is for: $*"
  return 1
}

# PLATFORM: this machine is one; asked by steps that are for it alone.
gs_is_platform() { case $1 in "$gs_os" | "$gs_family") return 0 ;; *) return 1 ;; esac; }

# The seed is the machine on which these steps are applied; its id is written down, and nothing else counts as one.
gs_instance_id() {
  if [ -s "$gs_root/var/lib/cloud/data/instance-id" ]; then
    cat "$gs_root/var/lib/cloud/data/instance-id"
  else
    gs_imds latest/meta-data/instance-id
  fi
}
gs_record_seed() {
  gs_instance_id > "$gs_work/instance" && [ -s "$gs_work/instance" ] || {
    gs_say 'neither cloud-init nor the metadata service says which instance this is'
    return 1
  }
  cmp -s "$gs_work/instance" "$gs_state/seed" && return 0
  gs_touch && cat "$gs_work/instance" > "$gs_state/seed"
}
gs_is_seed() {
  [ -s "$gs_state/seed" ] && gs_instance_id > "$gs_work/instance" 2>/dev/null && cmp -s "$gs_work/instance" "$gs_state/seed"
}

# DIGEST: a content that was sent apart from the script.
gs_held() {
  if [ ! -f "$gs_state/content/$1" ]; then
    gs_say "the content $1 is not on this machine any more; the next run sends it again" >&2
    return 1
  fi
  cat "$gs_state/content/$1"
}

# UNIT text|held SCRIPT: what every new machine does before Beanstalk deploys.
gs_install_boot() {
  gs_boot=$gs_root/opt/goldseed/boot gs_units=$gs_root/etc/systemd/system
  mkdir -p "$gs_boot" "$gs_units/multi-user.target.wants" || return 1
  case $2 in held) gs_held "$3" ;; *) printf %s "$3" ;; esac > "$gs_work/boot" && printf %s "$1" > "$gs_work/unit" || return 1
  if ! cmp -s "$gs_work/boot" "$gs_boot/boot.sh"; then
    gs_touch && gs_temporary "$gs_boot/boot.sh" && cat "$gs_work/boot" > "$gs_temp" &&
      gs_settle "$gs_boot/boot.sh" root root 0700 || return 1
  fi
  if ! cmp -s "$gs_work/unit" "$gs_units/goldseed-boot.service"; then
    gs_touch && gs_temporary "$gs_units/goldseed-boot.service" && cat "$gs_work/unit" > "$gs_temp" &&
      gs_settle "$gs_units/goldseed-boot.service" root root 0644 || return 1
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
  fi
  gs_link "$gs_units/multi-user.target.wants/goldseed-boot.service" ../goldseed-boot.service && gs_boot_done
}
gs_remove_boot() {
  for gs_path in "$gs_root/etc/systemd/system/multi-user.target.wants/goldseed-boot.service" \
    "$gs_root/etc/systemd/system/goldseed-boot.service" "$gs_root/opt/goldseed/boot"; do
    if [ -e "$gs_path" ] || [ -h "$gs_path" ]; then rm -rf "$gs_path" || return 1; fi
  done
}
# Beanstalk's deployment hooks look for this file.
gs_boot_done() { : > "$gs_runtime/boot.ok"; }

# PATH: what the metadata service (version 2) says. The token goes by standard input, not into a list of processes.
gs_imds() {
  gs_endpoint=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
  if [ -z "$gs_imds_token" ]; then
    gs_imds_token=$(curl -fsS --noproxy '*' --retry 2 --max-time 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 900' \
      "${gs_endpoint%/}/latest/api/token") || return 1
  fi
  printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$gs_imds_token" |
    curl -fsS --noproxy '*' --retry 2 --max-time 5 -K - "${gs_endpoint%/}/$1"
}
# REGION: the domain of its services, which is another one in each partition.
gs_find_domain() {
  case $1 in
    cn-*) gs_domain=amazonaws.com.cn ;;
    eusc-*) gs_domain=amazonaws.eu ;;
    *) gs_domain=amazonaws.com ;;
  esac
}
gs_find_region() {
  [ -z "$gs_region" ] || return 0
  gs_region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
  [ -n "$gs_region" ] || gs_region=$(gs_imds latest/meta-data/placement/region) || {
    gs_say 'the region is not known: neither AWS_REGION nor the metadata service says it'
    return 1
  }
}
