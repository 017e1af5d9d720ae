# Run on a machine that booted from a golden image, after the recipe `generalise` has looked for its traces: what only a
# machine that runs can show.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
wrong=0
left() {
  echo "$1"
  wrong=1
}
sh /run/goldseed/leftovers/assert.sh proof > /run/goldseed/leftovers/rows || {
  wrong=1
  grep -v '^pass ' /run/goldseed/leftovers/rows
}
[ ! -e /var/lib/goldseed/seed ] || left "/var/lib/goldseed/seed is still there: this machine would take itself for the seed"
read -r own < /var/lib/cloud/data/instance-id || left "cloud-init does not say which instance this is"
for folder in /var/lib/amazon/ssm/i-*; do
  [ -d "$folder" ] || continue
  [ "${folder##*/}" = "$own" ] || left "$folder is another instance's"
done
for unit in cfn-hup.service healthd.service; do
  systemctl is-enabled --quiet "$unit" 2> /dev/null && left "$unit is enabled before Beanstalk has set it up"
done
# This machine's own user data has put such a timer under /run; the image must bring none.
at=$(systemctl show --property FragmentPath --value goldseed-expiry.timer)
case $at in
  '' | /run/*) ;;
  *) left "$at is in the image: every machine of it would stop itself" ;;
esac
# What fails, fails on every machine of the image. It may do so as late as the boot ends.
waited=0
while case $(systemctl is-system-running) in initializing | starting) true ;; *) false ;; esac do
  if [ "$waited" -ge 1080 ]; then
    left "the boot of this machine is not over: $(systemctl list-jobs --no-legend --no-pager | awk '$4 == "running" {print $2}' | head -n 5 | tr '\n' ' ')"
    break
  fi
  sleep 1
  waited=$((waited + 1))
done
systemctl --failed --plain --no-legend --no-pager > /run/goldseed/leftovers/failed
while read -r unit rest; do
  # Commands of ours, which tell by themselves how they ended.
  case $unit in goldseed-*-a[0-9]*.service) continue ;; esac
  ! grep -qsxF "allow $unit" /opt/goldseed/generalise.d/* || continue
  left "$unit has failed on this machine ($(systemctl show --property Result --value "$unit")): see journalctl -u $unit; a recipe may write the line \`allow $unit\` to a file in /opt/goldseed/generalise.d"
done < /run/goldseed/leftovers/failed
exit "$wrong"
