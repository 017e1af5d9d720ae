# A boot in the middle of the steps.

# WORD CONDITION: ends the script with the wish for a boot. The step is changed by that, and the script is run again after it.
# That it wished is written down twice, on the disk and in memory: both stand there as long as the machine has not booted;
# a step that wishes again after its boot would do so for ever.
gs_reboot() {
  gs_user=root gs_folder=/ gs_seconds=0 gs_wishes=reboots/${GOLDSEED_JOB:-none}
  gs_booted=
  if grep -qxF -e "$gs_id" "$gs_state/$gs_wishes" 2>/dev/null && ! grep -qxF -e "$gs_id" "$gs_runtime/$gs_wishes" 2>/dev/null; then
    gs_booted=1
  fi
  case $1 in
    unless) ! gs_shell "$2" > /dev/null 2>&1 || return 0 ;;
    only-if) gs_shell "$2" > /dev/null 2>&1 || return 0 ;;
    always) [ -z "$gs_booted" ] || return 0 ;;
  esac
  if [ -n "$gs_booted" ]; then
    gs_say 'the machine has booted for this step, and its condition still wants a reboot: what it asks does not change by that'
    return 1
  fi
  gs_touch && ( umask 077; mkdir -p "$gs_runtime/reboots" "$gs_state/reboots" ) &&
    echo "$gs_id" >> "$gs_runtime/$gs_wishes" && echo "$gs_id" >> "$gs_state/$gs_wishes" && sync || return 1
  gs_emit "$gs_id" changed
  gs_emit "$gs_id" reboot
  exit 1
}
