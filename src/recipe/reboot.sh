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
  if [ "$1" = always ]; then
    [ -z "$gs_booted" ] || return 0
  else
    gs_shell "$2" > "$gs_work/output" 2>&1
    gs_status=$?
    gs_could_ask 'a reboot is needed' "$2" || return 1
    case $1-$gs_status in
      unless-0 | only-if-[!0]*)
        gs_forget_wish
        return
        ;;
    esac
  fi
  if [ -n "$gs_booted" ]; then
    tail -n 20 "$gs_work/output"
    gs_say "the machine has booted for this step, and its condition still wants a reboot: $1 \`$2\`, which ended with $gs_status"
    return 1
  fi
  gs_touch && ( umask 077; mkdir -p "$gs_runtime/reboots" "$gs_state/reboots" ) &&
    echo "$gs_id" >> "$gs_runtime/$gs_wishes" && echo "$gs_id" >> "$gs_state/$gs_wishes" && sync || return 1
  gs_emit "$gs_id" changed
  gs_emit "$gs_id" reboot
  exit 1
}

# What was wished for is there. Later in the same run the step may wish again: a resume may find newer updates.
gs_forget_wish() {
  grep -qxF -e "$gs_id" "$gs_state/$gs_wishes" 2>/dev/null || return 0
  grep -vxF -e "$gs_id" "$gs_state/$gs_wishes" > "$gs_work/wishes" || [ $? -eq 1 ] || return 1
  cat "$gs_work/wishes" > "$gs_state/$gs_wishes.new" && mv -f "$gs_state/$gs_wishes.new" "$gs_state/$gs_wishes"
}
