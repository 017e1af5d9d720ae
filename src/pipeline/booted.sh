# Run on a machine of the image: ends well once its boot steps are done, and says why they are not. They have the time that
# their unit has.
[ -d /opt/goldseed/boot ] && [ -n "$(ls -A /opt/goldseed/boot)" ] || exit 0
while [ ! -e /run/goldseed/boot.ok ]; do
  case $(systemctl show --property ActiveState --value goldseed-boot.service) in
    activating) ;;
    inactive) [ -n "$(systemctl show --property Job --value goldseed-boot.service)" ] || break ;;
    *) break ;;
  esac
  sleep 1
done
# It may have ended between the two questions.
[ -e /run/goldseed/boot.ok ] || {
  journalctl -u goldseed-boot.service -n 5 -o cat --no-pager
  exit 1
}
