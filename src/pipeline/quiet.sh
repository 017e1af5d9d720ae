# Checked before anything is done on a machine of ours: it must not work as the machine it is a copy of.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
if command -v cloud-init > /dev/null 2>&1; then
  cloud-init status --wait > /dev/null 2>&1
fi
wrong=0
if [ ! -d /run/goldseed/held ]; then
  echo "the user data was not run: nothing was held back at boot (see /var/log/cloud-init.log)"
  exit 1
fi
systemctl is-active --quiet goldseed-expiry.timer || {
  echo "goldseed-expiry.timer does not run: nothing would stop this machine if nobody came back to it"
  wrong=1
}
# A template has no instance name: all of its instances are meant.
instances() {
  case $1 in *@.*) echo "${1%%@*}@*.${1##*.}" ;; *) echo "$1" ;; esac
}
quieten() {
  pattern=$(instances "$1")
  systemctl stop "$pattern" 2> /dev/null || :
  if systemctl is-active --quiet "$pattern"; then
    echo "$1 cannot be stopped"
    wrong=1
  fi
  # Whatever it says to being stopped: that is ours, and no fault of the image.
  systemctl reset-failed "$pattern" 2> /dev/null || :
}
for unit in cfn-hup.service healthd.service aws-eb.target eb-app.target web.service crond.service cron.service \
  atd.service anacron.timer amazon-cloudwatch-agent.service awslogsd.service; do
  quieten "$unit"
done
for process in cfn-hup healthd crond; do
  for folder in /proc/[0-9]*; do
    [ -r "$folder/comm" ] && read -r name 2> /dev/null < "$folder/comm" || continue
    if [ "$name" = "$process" ]; then
      echo "a process \`$process\` runs (${folder#/proc/})"
      wrong=1
    fi
  done
done
# What was held back beside those may be started from here on, by a recipe that asks for it.
for held in /run/goldseed/held/*; do
  [ -e "$held" ] || continue
  unit=${held##*/}
  quieten "$unit"
  rm -f "/run/systemd/system/$unit.d/90-goldseed.conf" "$held"
done
systemctl daemon-reload
exit "$wrong"
