# Commands at certain times.

# KIND NAME ROLE SCRIPT: the command is a script of its own, so that neither cron nor systemd reads signs in it.
gs_scheduled() {
  mkdir -p "$gs_root/opt/goldseed/commands" || return 1
  gs_system_file "/opt/goldseed/commands/$1-$2" 0755 "$4"
}

# PATH...: what only the seed does. It compares a machine with /opt/goldseed/seed, which no image has, and before an
# image is made these paths are taken away.
gs_seed_only() {
  gs_path=$gs_root/var/lib/cloud/data/instance-id
  if [ ! -s "$gs_path" ]; then
    gs_say 'cloud-init does not say here which instance this is; without that a schedule cannot be held to the seed'
    return 1
  fi
  mkdir -p "$gs_root/opt/goldseed" || return 1
  if ! cmp -s "$gs_path" "$gs_root/opt/goldseed/seed"; then
    gs_touch && cat "$gs_path" > "$gs_root/opt/goldseed/seed" || return 1
  fi
  for gs_path in "$@"; do gs_take_away "$gs_path" || return 1; done
}
# PATTERN: these paths are taken away before an image is made.
gs_take_away() {
  mkdir -p "$gs_root/opt/goldseed/generalise.d" || return 1
  gs_list=$gs_root/opt/goldseed/generalise.d/seed-steps
  grep -qxF "remove $1" "$gs_list" 2>/dev/null || printf 'remove %s\n' "$1" >> "$gs_list"
}

# ID PATTERN...: what a step for the seed alone is about to make. It may not be there yet, unless an earlier run of the
# step has made it: what belongs to the image could not be given back to it.
gs_seed_makes() {
  gs_maker=$1 gs_made=$gs_state/seed-made
  shift
  for gs_pattern in "$@"; do
    if ! grep -qxF -e "$gs_pattern" "$gs_made" 2>/dev/null; then
      gs_separators=$IFS
      IFS=
      for gs_path in $gs_pattern "$gs_root"$gs_pattern; do
        IFS=$gs_separators
        if [ -e "$gs_path" ] || [ -h "$gs_path" ]; then
          gs_emit "$gs_maker" start
          gs_say "$gs_path is there already and belongs to the image: a step on the seed alone makes only what can be taken away again"
          gs_emit "$gs_maker" failed 1
          exit 1
        fi
      done
      IFS=$gs_separators
      printf '%s\n' "$gs_pattern" >> "$gs_made" || exit 1
    fi
    gs_take_away "$gs_pattern" || exit 1
  done
}

# NAME ROLE SCRIPT ENTRY
gs_cron() {
  if [ ! -d "$gs_root/etc/cron.d" ]; then
    gs_say 'there is no cron here; a package step has to bring it first (al2023: cronie, debian: cron), or make it a timer step'
    return 1
  fi
  # The last line is the schedule, the user and the command, whose path holds no blanks.
  gs_rest=${4% *}
  gs_has_user "${gs_rest##* }" || return 1
  if [ "$2" = seed ]; then gs_seed_only "/etc/cron.d/$1" "/opt/goldseed/commands/cron-$1" || return 1; fi
  gs_scheduled cron "$1" "$2" "$3" && gs_system_file "/etc/cron.d/$1" 0644 "$4"
}

# NAME ROLE SCRIPT SERVICE TIMER SCHEDULE. It is not noted as a service that a recipe wants: on the
# machine that proves an image nothing of it is to be done.
gs_timer() {
  gs_units=/etc/systemd/system gs_timer=$1.timer gs_role=$2
  if gs_differs "$gs_units/$gs_timer" && command -v systemd-analyze > /dev/null 2>&1; then
    gs_why=$(systemd-analyze calendar -- "$6" 2>&1) || {
      gs_say "$gs_why"
      return 1
    }
  fi
  gs_rest=${4#*"${gs_nl}User="}
  gs_has_user "${gs_rest%%"$gs_nl"*}" || return 1
  mkdir -p "$gs_root$gs_units/timers.target.wants" || return 1
  if [ "$2" = seed ]; then
    gs_seed_only "$gs_units/timers.target.wants/$gs_timer" "$gs_units/$gs_timer" "$gs_units/$1.service" \
      "/opt/goldseed/commands/timer-$1" || return 1
  fi
  gs_before=$gs_changed
  gs_scheduled timer "$1" "$2" "$3" && gs_system_file "$gs_units/$1.service" 0644 "$4" &&
    gs_system_file "$gs_units/$gs_timer" 0644 "$5" &&
    gs_link "$gs_root$gs_units/timers.target.wants/$gs_timer" "../$gs_timer" || return 1
  if [ -n "$gs_root" ] || [ ! -d /run/systemd/system ]; then return 0; fi
  [ "$gs_changed" = "$gs_before" ] || systemctl daemon-reload || return 1
  # What is for the image begins when its machines boot: nothing of it is to be done while the image grows.
  [ "$gs_role" != image ] || return 0
  if [ "$gs_changed" = "$gs_before" ] && systemctl -q is-active "$gs_timer"; then return 0; fi
  gs_touch && systemctl restart ${gs_booting:+--no-block} "$gs_timer"
}
