set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077
home=/run/goldseed/units/$unit
stamp=/var/lib/goldseed/started/$unit
held_at=/var/lib/goldseed/content
read -r boot < /proc/sys/kernel/random/boot_id
# A machine of ours stops itself when no command came for a day.
[ ! -d /run/goldseed ] || cut -d . -f 1 /proc/uptime > /run/goldseed/renewed

# Says what the unit is doing: finished once its code is written; running while systemd has it; interrupted when it
# was started and neither holds, or in another boot; else absent.
state() {
  if [ -s "$home/code" ]; then echo finished
  elif case $(systemctl is-active "$unit.service") in active | activating | deactivating) true ;; *) false ;; esac; then echo running
  elif [ -s "$home/code" ]; then echo finished
  elif [ "$(systemctl show --property Result --value "$unit.service" 2> /dev/null)" = timeout ]; then
    # It ran into its limit: that is an end like any other.
    printf '%-8s\n' 124 1<> "$home/code.new"
    mv "$home/code.new" "$home/code"
    echo finished
  elif [ -e "$stamp" ]; then echo interrupted
  else echo absent
  fi
}

# Answers with the state and at most 15,000 bytes of the log from an offset: as base64 they stay below the 24,000
# characters that Run Command keeps.
answer() {
  now=$(state)
  code=-
  [ "$now" != finished ] || read -r code < "$home/code"
  printf 'goldseed 1\nstate %s\ncode %s\nfresh %s\n' "$now" "$code" "$2"
  # Nothing is written for this: there may be no space left.
  size=0
  [ ! -e "$home/log" ] || size=$(($(wc -c < "$home/log") - $1))
  [ "$size" -ge 0 ] || size=0
  [ "$size" -le 15000 ] || size=15000
  printf 'offset %s\ndata ' "$(($1 + size))"
  if [ "$size" -gt 0 ]; then tail -c "+$(($1 + 1))" "$home/log" | head -c "$size" | base64 | tr -d '\n'; fi
  echo
  df -P "${home%/*}" 2> /dev/null | awk 'NR == 2 && $4 < 64 {print "full yes"}'
}

# Waits until the unit has ended, the log is longer than an offset, or the seconds are over. The first seconds gather what
# comes, so that a short script needs one command and a talkative one few; an answer's fill ends them.
news() {
  left=$(($2 * 4))
  gathered=$((left - gather * 4))
  while [ "$left" -gt 0 ] && [ "$(state)" = running ]; do
    waiting=0
    [ ! -e "$home/log" ] || waiting=$(($(wc -c < "$home/log") - $1))
    [ "$waiting" -lt 15000 ] || break
    [ "$waiting" -le 0 ] || [ "$left" -gt "$gathered" ] || break
    sleep 0.25
    left=$((left - 1))
  done
}

# FILE: its digest; nothing where there is none.
digest_of() { [ ! -f "$1" ] || sha256sum < "$1" | cut -c 1-64; }

# A command can be sent twice, and an agent runs several at once: one at a time works on a unit. The unit itself must not
# inherit the lock.
if [ "$verb" = start ]; then
  mkdir -p "${home%/*}" || exit 1
  exec 9> "$home.lock"
  flock 9
elif [ "$verb" = need ] || [ "$verb" = put ]; then
  mkdir -p "$held_at" || exit 1
  exec 9> "$held_at/lock"
  flock 9
fi

case $verb in
  probe)
    printf 'goldseed 1\nstate ready\ncode -\nfresh no\noffset 0\ndata \n'
    ;;
  need)
    # Lines of DIGEST, then nowhere, or file PATH, or archive PATH STAMP STATE. What stands in its place is taken from there,
    # for the script may move it away before it wants it.
    while IFS='	' read -r content kind path name is; do
      new=$held_at/$content
      [ "$(digest_of "$new")" != "$content" ] || continue
      rm -f "$new"
      case $kind in
        file)
          if [ "$(digest_of "$path")" = "$content" ] && cp "$path" "$new.new" && mv "$new.new" "$new"; then continue; fi
          ;;
        archive)
          done=
          [ ! -f "/var/lib/goldseed/archives/$name" ] || read -r done < "/var/lib/goldseed/archives/$name"
          if [ -d "$path" ] && [ "$done" = "$is" ]; then continue; fi
          ;;
      esac
      has=0
      [ ! -f "$new.part" ] || has=$(wc -c < "$new.part")
      echo "$content $has"
    done > "$held_at/lacking"
    printf 'goldseed 1\nstate ready\ncode -\nfresh no\noffset 0\ndata '
    base64 < "$held_at/lacking" | tr -d '\n'
    echo
    ;;
  put)
    new=$held_at/$content has=0
    if [ -f "$new" ]; then has=$total
    elif [ -f "$new.part" ]; then has=$(wc -c < "$new.part")
    fi
    # What came before, by a command that was sent twice, is there.
    if [ "$has" -eq "$at" ]; then
      base64 -d > "$held_at/packed" && gzip -dc < "$held_at/packed" > "$held_at/piece"
      if [ "$(digest_of "$held_at/piece")" != "$digest" ]; then
        echo "a part of the content $content was damaged on its way" >&2
        exit 1
      fi
      cat "$held_at/piece" >> "$new.part" || exit 1
      rm -f "$held_at/packed" "$held_at/piece"
      has=$(wc -c < "$new.part")
      if [ "$has" -ge "$total" ]; then
        if [ "$(digest_of "$new.part")" != "$content" ]; then
          rm -f "$new.part"
          echo "the content $content did not arrive whole" >&2
          exit 1
        fi
        mv "$new.part" "$new" || exit 1
      fi
    fi
    printf 'goldseed 1\nstate ready\ncode -\nfresh no\noffset %s\ndata \n' "$has"
    ;;
  start)
    fresh=no
    if [ "$(state)" = absent ]; then
      mkdir -p "$home" /var/lib/goldseed/started || exit 1
      if [ "$held" = yes ]; then cat "$held_at/$digest"; else base64 -d | gzip -dc; fi > "$home/script" || exit 1
      if [ "$(digest_of "$home/script")" != "$digest" ]; then
        echo "the script did not arrive whole" >&2
        exit 1
      fi
      : > "$home/log"
      cat > "$home/run" << 'UNIT' || exit 1
@UNIT@
UNIT
      if systemd-run --quiet --unit="$unit" --property="RuntimeMaxSec=$limit" --property=KillMode=control-group \
        --property=TimeoutStopSec=20 --property=StandardInput=null --setenv="AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-}" \
        --setenv="GOLDSEED_JOB=${unit%-a*}" --setenv="AWS_REGION=${AWS_REGION:-${AWS_SSM_REGION_NAME:-}}" \
        /bin/sh "$home/run" "$home" "goldseed-end-$boot" 9>&-
      then
        fresh=yes
        echo "$boot" > "$stamp"
      elif [ "$(state)" = absent ]; then
        echo "systemd-run could not start $unit" >&2
        exit 1
      fi
    fi
    news 0 "$wait"
    answer 0 "$fresh"
    ;;
  booted)
    # What an image does at boot comes before anything else.
    now=ready
    if [ -x /opt/goldseed/boot/boot.sh ]; then
      case $(systemctl is-active goldseed-boot.service)-$(systemctl is-system-running) in
        activating-* | inactive-initializing | inactive-starting) now=running ;;
      esac
    fi
    # The unit is named without its attempt. Its folders lie in memory: while one is there, the machine has not booted.
    for old in "$home"-a[0-9]*; do
      [ ! -e "$old" ] || now=absent
    done
    printf 'goldseed 1\nstate %s\ncode -\nfresh no\noffset 0\ndata \n' "$now"
    ;;
  follow)
    news "$offset" "$wait"
    answer "$offset" no
    ;;
  stop)
    systemctl stop "$unit-a*.service" 2> /dev/null
    answer 0 no
    ;;
esac
