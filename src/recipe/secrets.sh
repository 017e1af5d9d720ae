# Secrets: fetched with this machine's own role, kept in memory-backed files until the script ends, masked in its output.

# FIELD < JSON: the text that a field holds, at any depth; fails when there is none. Bytes in, bytes out.
gs_json() {
  gs_field=$1
  export gs_field
  LC_ALL=C awk '
    function hexadecimal(digits,  i, sum) {
      for (i = 1; i <= 4; i++) sum = sum * 16 + index("0123456789abcdef", tolower(substr(digits, i, 1))) - 1
      return sum
    }
    function utf8(code) {
      if (code < 128) return sprintf("%c", code)
      if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
      if (code < 65536) return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
      return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64, 128 + int(code / 64) % 64, 128 + code % 64)
    }
    function blanks() { while (substr(text, at, 1) ~ /^[ \t\r\n]$/) at++ }
    function string(  c, result, code, low) {
      for (at++; at <= size; at++) {
        c = substr(text, at, 1)
        if (c == "\"") { at++; return result }
        if (c != "\\") { result = result c; continue }
        c = substr(text, ++at, 1)
        if (c == "n") result = result "\n"
        else if (c == "t") result = result "\t"
        else if (c == "r") result = result "\r"
        else if (c == "b") result = result "\b"
        else if (c == "f") result = result "\f"
        else if (c == "u") {
          code = hexadecimal(substr(text, at + 1, 4)); at += 4
          if (code >= 55296 && code < 56320 && substr(text, at + 1, 2) == "\\u") {
            low = hexadecimal(substr(text, at + 3, 4)); at += 6
            code = 65536 + (code - 55296) * 1024 + low - 56320
          }
          result = result utf8(code)
        } else result = result c
      }
      bad = 1
      return result
    }
    { text = text $0 "\n" }
    END {
      size = length(text); at = 1
      while (at <= size) {
        if (substr(text, at, 1) != "\"") { at++; continue }
        name = string(); blanks()
        if (substr(text, at, 1) != ":") continue
        at++; blanks()
        if (name == ENVIRON["gs_field"] && substr(text, at, 1) == "\"") {
          value = string()
          if (bad) exit 1
          printf "%s", value
          exit 0
        }
      }
      exit 1
    }'
}

# REFERENCE: leaves the value in the file gs_secret_file.
gs_secret() {
  gs_rest=$(printf %s "$1" | sha256sum) || return 1
  gs_secret_file=$gs_work/secret.${gs_rest%% *}
  [ ! -f "$gs_secret_file" ] || return 0
  gs_reference=$1 gs_address=${1%%#*}
  gs_fetch "$gs_address" || return 1
  case $gs_address in ssm:*) gs_field=Value ;; *) gs_field=SecretString ;; esac
  if ! ( umask 077; gs_json "$gs_field" < "$gs_work/answer" > "$gs_secret_file.whole" ); then
    gs_say "the answer for $gs_reference holds no text"
    rm -f "$gs_work/answer" "$gs_secret_file.whole"
    return 1
  fi
  rm -f "$gs_work/answer"
  case $gs_reference in
    *'#'*)
      if ! ( umask 077; gs_json "${gs_reference#*#}" < "$gs_secret_file.whole" > "$gs_secret_file.key" ); then
        gs_say "the secret $gs_address is no JSON object with a text under ${gs_reference#*#}"
        return 1
      fi
      mv -f "$gs_secret_file.key" "$gs_secret_file.whole"
      ;;
  esac
  if [ "$(wc -c < "$gs_secret_file.whole")" -lt 4 ]; then
    gs_say "the secret $gs_reference is shorter than four characters; it could not be masked in this log"
    return 1
  fi
  # Every line of it, as it is and as templates encode it.
  ( umask 077; LC_ALL=C awk '
    function encoded(t, before,  i, c, r) {
      for (i = 1; i <= length(t); i++) { c = substr(t, i, 1); r = r (c == "\047" || (c == "\\" && before == "\\") ? before : "") c }
      return r
    }
    length($0) >= 4 { print; print encoded($0, "\\"); print encoded($0, "\047\\\047") }' \
    < "$gs_secret_file.whole" >> "$gs_work/masks" )
  printf '@@%s mask\n' "$gs_nonce"
  if [ -n "$gs_keep" ]; then gs_keep_secret || return 1; fi
  mv -f "$gs_secret_file.whole" "$gs_secret_file"
}

# On the seed every value stays in memory until the machine stops, named by its reference: before the image is made,
# the disk is searched for it.
gs_keep_secret() (
  umask 077
  mkdir -p "$gs_runtime/scan" && chmod 0700 "$gs_runtime/scan" || exit 1
  gs_name=$(printf %s "$gs_reference" | tr -c 'A-Za-z0-9.-' _ | cut -c 1-200) && [ -n "$gs_name" ] &&
    { cat "$gs_secret_file.whole"; echo; } >> "$gs_runtime/scan/$gs_name"
)

# ADDRESS: leaves the service's JSON in the file answer.
gs_fetch() {
  case $1 in
    ssm:*) gs_service=ssm gs_target=AmazonSSM.GetParameter gs_name=${1#*:} ;;
    *) gs_service=secretsmanager gs_target=secretsmanager.GetSecretValue gs_name=${1#*:} ;;
  esac
  gs_find_region || return 1
  gs_in=$gs_region
  case $gs_name in arn:*) gs_in=${gs_name#arn:*:*:} gs_in=${gs_in%%:*} ;; esac
  if command -v aws > /dev/null 2>&1; then
    if [ "$gs_service" = ssm ]; then
      set -- ssm get-parameter --with-decryption --name "$gs_name"
    else
      set -- secretsmanager get-secret-value --secret-id "$gs_name"
    fi
    ( umask 077; aws "$@" --region "$gs_in" --output json > "$gs_work/answer" < /dev/null )
    return
  fi
  if [ "$gs_service" = ssm ]; then
    gs_body="{\"Name\":\"$gs_name\",\"WithDecryption\":true}"
  else
    gs_body="{\"SecretId\":\"$gs_name\"}"
  fi
  gs_find_domain "$gs_in"
  gs_url=${AWS_ENDPOINT_URL:-https://$gs_service.$gs_in.$gs_domain}
  gs_credentials || return 1
  gs_status=$(
    umask 077
    cat "$gs_work/credentials" |
      curl -sS --max-time 20 --retry 3 -K - --aws-sigv4 "aws:amz:$gs_in:$gs_service" -o "$gs_work/answer" \
        -w '%{http_code}' -H 'Content-Type: application/x-amz-json-1.1' -H "X-Amz-Target: $gs_target" -d "$gs_body" \
        "${gs_url%/}/"
  ) || return 1
  [ "$gs_status" = 200 ] && return 0
  gs_say "$gs_target of $gs_name: HTTP $gs_status $(gs_json __type < "$gs_work/answer") $(gs_json message < "$gs_work/answer")"
  rm -f "$gs_work/answer"
  return 1
}

# The role's credentials as a file for curl -K: never a word of a command, which every process could read.
gs_credentials() {
  [ ! -s "$gs_work/credentials" ] || return 0
  if [ -n "${AWS_ACCESS_KEY_ID:-}" ]; then
    gs_access=$AWS_ACCESS_KEY_ID gs_key=${AWS_SECRET_ACCESS_KEY:-} gs_session=${AWS_SESSION_TOKEN:-}
  else
    # A machine that was just started may get its role a few seconds later.
    gs_tries=0
    until gs_role=$(gs_imds latest/meta-data/iam/security-credentials/); do
      gs_tries=$((gs_tries + 1))
      if [ "$gs_tries" -ge 5 ]; then
        gs_say 'this machine has no role: give it an instance profile'
        return 1
      fi
      sleep 3
    done
    gs_role=${gs_role%%"$gs_nl"*}
    ( umask 077; gs_imds "latest/meta-data/iam/security-credentials/$gs_role" > "$gs_work/role" ) || return 1
    gs_access=$(gs_json AccessKeyId < "$gs_work/role") && gs_key=$(gs_json SecretAccessKey < "$gs_work/role") &&
      gs_session=$(gs_json Token < "$gs_work/role") || {
      gs_say "the metadata service gives no credentials of the role $gs_role"
      return 1
    }
    rm -f "$gs_work/role"
  fi
  (
    umask 077
    printf 'user = "%s:%s"\n' "$gs_access" "$gs_key" > "$gs_work/credentials"
    [ -z "$gs_session" ] || printf 'header = "X-Amz-Security-Token: %s"\n' "$gs_session" >> "$gs_work/credentials"
  )
}

# PATH OWNER GROUP MODE EXPECTED TEMPLATE PARAMETER=REFERENCE...
gs_secret_file() {
  gs_path=$1 gs_owner=$2 gs_group=$3 gs_mode=$4 gs_expected=$5
  ( umask 077; printf %s "$6" > "$gs_work/template" ) || return 1
  shift 6
  gs_values=
  for gs_word in "$@"; do
    gs_secret "${gs_word#*=}" || return 1
    gs_values=$gs_values${gs_word%%=*}=$gs_secret_file$gs_nl
  done
  export gs_values
  ( umask 077; LC_ALL=C awk '
    function encoded(t, how,  i, c, r) {
      if (how == "raw") return t
      for (i = 1; i <= length(t); i++) {
        c = substr(t, i, 1)
        if (how == "php" && (c == "\047" || c == "\\")) r = r "\\"
        if (how == "sh" && c == "\047") r = r "\047\\\047"
        r = r c
      }
      return "\047" r "\047"
    }
    BEGIN {
      count = split(ENVIRON["gs_values"], row, "\n")
      for (i = 1; i <= count; i++) if ((eq = index(row[i], "="))) {
        name = substr(row[i], 1, eq - 1); file = substr(row[i], eq + 1); first = 1
        while ((getline line < file) > 0) { value[name] = value[name] (first ? "" : "\n") line; first = 0 }
        close(file)
      }
      opening = "@@goldseed-secret:"
    }
    {
      rest = $0; out = ""
      while ((at = index(rest, opening))) {
        out = out substr(rest, 1, at - 1); rest = substr(rest, at + length(opening))
        end = index(rest, "@@"); word = substr(rest, 1, end - 1); rest = substr(rest, end + 2)
        colon = index(word, ":")
        out = out encoded(value[substr(word, colon + 1)], substr(word, 1, colon - 1))
      }
      print out rest
    }' < "$gs_work/template" > "$gs_work/rendered" ) || return 1
  if cmp -s "$gs_work/rendered" "$gs_path" && [ "$(stat -L -c '%f|%U|%G|%n' "$gs_path" 2>/dev/null)" = "$gs_expected" ]; then
    return 0
  fi
  gs_touch && gs_temporary "$gs_path" && ( umask 077; set -C; cat "$gs_work/rendered" > "$gs_temp" ) &&
    gs_settle "$gs_path" "$gs_owner" "$gs_group" "$gs_mode"
}

# The whole output goes through this: exact values become ***, line by line, without delay.
gs_mask() {
  gs_masks=$gs_work/masks
  export gs_masks gs_nonce
  # mawk alone reads in blocks unless told.
  case $(awk -W version 2>/dev/null < /dev/null) in mawk*) set -- -W interactive ;; *) set -- ;; esac
  LC_ALL=C awk "$@" '
    function clean(text,  i, at, out) {
      for (i = 1; i <= count; i++) if (index(text, mask[i])) {
        out = ""
        while ((at = index(text, mask[i]))) { out = out substr(text, 1, at - 1) "***"; text = substr(text, at + length(mask[i])) }
        text = out text
      }
      return text
    }
    BEGIN { control = "@@" ENVIRON["gs_nonce"] " "; file = ENVIRON["gs_masks"] }
    (ending = index($0, control "end")) || (at = index($0, control "mask")) {
      count = 0
      while ((getline line < file) > 0) {
        for (i = ++count; i > 1 && length(mask[i - 1]) < length(line); i--) mask[i] = mask[i - 1]
        mask[i] = line
      }
      close(file)
      if (ending) at = ending
      if (at > 1) { print clean(substr($0, 1, at - 1)); fflush() }
      if (ending) exit
      next
    }
    { print clean($0); fflush() }'
}
