# Where software comes from: repositories of packages and of git, archives.

# NAME then for apt and for dnf: KEY DIGEST SOURCE CONTENT, all empty when nothing is said for that one.
gs_repository() {
  gs_list=/etc/apt/sources.list.d/$1.sources
  shift
  if command -v dnf > /dev/null 2>&1; then
    gs_list=/etc/yum.repos.d/${gs_list##*/}
    gs_list=${gs_list%.sources}.repo
    shift 4
  fi
  if [ -z "$1" ]; then
    gs_say "the step names no repository for $gs_os"
    return 1
  fi
  gs_before=$gs_changed
  mkdir -p "$gs_root${1%/*}" "$gs_root${gs_list%/*}" || return 1
  gs_repository_key "$1" "$2" "$3" && gs_system_file "$gs_list" 0644 "$4" || return 1
  # The lists of its packages are not known yet.
  [ "$gs_changed" = "$gs_before" ] || gs_apt_fresh=
}
# PATH DIGEST SOURCE: an address, or the key itself in base64. What does not have the digest does not get in.
gs_repository_key() {
  gs_differs "$1" || return 0
  if gs_differs "$1:attributes"; then
    gs_touch && gs_attributes "$gs_root$1" root root 0644
    return
  fi
  case $3 in
    http*) gs_fetch_address "$3" "$gs_work/key" || return 1 ;;
    *) printf %s "$3" | base64 -d > "$gs_work/key" || return 1 ;;
  esac
  gs_digest=$(sha256sum < "$gs_work/key") || return 1
  if [ "${gs_digest%% *}" != "$2" ]; then
    gs_say "the key $3 has the digest ${gs_digest%% *}, not $2"
    return 1
  fi
  # apt takes a key for text or not by its name alone.
  gs_now=gpg
  if grep -q -e '-----BEGIN PGP' "$gs_work/key"; then gs_now=asc; fi
  case $1 in *."$gs_now" | /etc/pki/*) ;; *)
    gs_say "the key is ${gs_now} by its content: let the name under \`key\` end so"
    return 1
    ;;
  esac
  gs_touch && gs_temporary "$gs_root$1" && cat "$gs_work/key" > "$gs_temp" && gs_settle "$gs_root$1" root root 0644
}

# PATH REPOSITORY TAG COMMIT: a checkout of that commit, root's, without a branch.
gs_git() {
  if ! command -v git > /dev/null 2>&1; then
    gs_say 'there is no git here; a package step has to bring it first'
    return 1
  fi
  if [ -e "$1/.git" ]; then
    [ "$(gs_in_git "$1" rev-parse -q --verify HEAD)" = "$4" ] && gs_in_git "$1" diff --quiet HEAD && return 0
    # Locks of a git that was killed: nobody else works in this checkout.
    gs_touch && find "$1/.git" -name '*.lock' -type f -exec rm -f {} + && gs_git_take "$1" "$2" "$3" "$4"
    return
  fi
  if [ -e "$1" ] && { [ ! -d "$1" ] || [ -n "$(ls -A "$1")" ]; }; then
    gs_say "$1 is there and is no checkout; remove it first, or choose another path"
    return 1
  fi
  gs_touch && mkdir -p "${1%/*}/" && gs_temporary "$1" && mkdir "$gs_temp" && gs_in_git "$gs_temp" init -q &&
    chmod 0700 "$gs_temp/.git" && gs_git_take "$gs_temp" "$2" "$3" "$4" || return 1
  if [ -d "$1" ]; then rmdir "$1" || return 1; fi
  mv "$gs_temp" "$1" && gs_temporary_done
}
# FOLDER ARGUMENT...: no hooks, no questions, nothing written by looking.
gs_in_git() {
  gs_folder=$1
  shift
  GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0 git -C "$gs_folder" -c core.hooksPath=/dev/null "$@" < /dev/null
}
# FOLDER REPOSITORY TAG COMMIT
gs_git_take() {
  if [ -n "$3" ]; then
    gs_in_git "$1" fetch -q --depth 1 --no-tags "$2" "refs/tags/$3" || return 1
    gs_now=$(gs_in_git "$1" rev-parse -q --verify 'FETCH_HEAD^{commit}')
    if [ "$gs_now" != "$4" ]; then
      gs_say "the tag $3 of $2 is the commit $gs_now, not $4"
      return 1
    fi
  elif ! gs_in_git "$1" cat-file -e "$4^{commit}" 2>/dev/null; then
    # Not every server gives a single commit; then all branches and tags are fetched.
    gs_in_git "$1" fetch -q --depth 1 --no-tags "$2" "$4" 2>/dev/null ||
      gs_in_git "$1" fetch -q --tags "$2" '+refs/heads/*:refs/remotes/origin/*' || return 1
    gs_in_git "$1" cat-file -e "$4^{commit}" 2>/dev/null || {
      gs_say "$2 has no commit $4"
      return 1
    }
  fi
  gs_in_git "$1" -c advice.detachedHead=false checkout -q --force --detach "$4" &&
    [ "$(gs_in_git "$1" rev-parse -q --verify HEAD)" = "$4" ]
}

# PATH SOURCE FORMAT SHA256 STRIP OWNER GROUP STAMP STATE [CONTENT]: the folder is the archive's content, nothing else.
gs_archive() {
  gs_stamp=$gs_state/archives/$8
  if [ -d "$1" ] && [ -f "$gs_stamp" ]; then
    read -r gs_rest < "$gs_stamp" || gs_rest=
    [ "$gs_rest" = "$9" ] && [ -f "$gs_state/shipped/$8" ] && return 0
  fi
  if [ -e "$1" ] && [ ! -f "$gs_stamp" ] && { [ ! -d "$1" ] || [ -n "$(ls -A "$1")" ]; }; then
    gs_say "$1 is there and was not made by this step; remove it first, or choose another path"
    return 1
  fi
  gs_touch || return 1
  gs_download=$2
  case $2 in http*)
    gs_download=$gs_state/download
    gs_fetch_address "$2" "$gs_download" || return 1
    ;;
  s3://*)
    gs_download=$gs_state/download
    gs_fetch_object "$2" "$gs_download" || return 1
    ;;
  files/*)
    gs_download=$gs_state/download
    case ${10} in held) gs_held "$4" ;; *) printf %s "${10}" | base64 -d ;; esac > "$gs_download" || return 1
    ;;
  *)
    if [ ! -f "$2" ]; then
      gs_say "the archive $2 is not there"
      return 1
    fi
    ;;
  esac
  gs_digest=$(sha256sum < "$gs_download") || return 1
  if [ "${gs_digest%% *}" != "$4" ]; then
    gs_say "$2 has the digest ${gs_digest%% *}, not $4"
    rm -f "$gs_state/download"
    return 1
  fi
  mkdir -p "${1%/*}/" && gs_temporary "$1" && mkdir "$gs_temp" || return 1
  case $3 in
    zip)
      unzip -q "$gs_download" -d "$gs_temp" || return 1
      gs_tries=$5
      while [ "$gs_tries" -gt 0 ]; do
        gs_strip_folder || return 1
        gs_tries=$((gs_tries - 1))
      done
      ;;
    *) tar -xzf "$gs_download" -o --strip-components="$5" -C "$gs_temp" || return 1 ;;
  esac
  rm -f "$gs_state/download"
  if [ -z "$(ls -A "$gs_temp")" ]; then
    gs_say "nothing is left of $2 without its first $5 folders"
    return 1
  fi
  gs_list_shipped "$gs_temp" "$1" "archive $4" "$8" || return 1
  # Whatever a killed run leaves from here on is known as the step's own, and is no state that anybody wants.
  chown -R "$6:$7" "$gs_temp" && chmod 755 "$gs_temp" && echo replaced > "$gs_stamp" || return 1
  rm -rf "$1" && mv "$gs_temp" "$1" && gs_temporary_done && printf '%s\n' "$9" > "$gs_stamp"
}
# CONTENT FOLDER ORIGIN NAME: notes the digest of each file as it came, for whoever asks later whether the FOLDER's still are
# the ORIGIN's own: the search for secrets does.
gs_list_shipped() {
  mkdir -p "$gs_state/shipped" && {
    printf '%s %s\n' "$3" "$2" && (cd "$1" && find . -type f -exec sha256sum {} +)
  } > "$gs_state/shipped/$4.new" && mv "$gs_state/shipped/$4.new" "$gs_state/shipped/$4"
}
# ADDRESS FILE
gs_fetch_address() {
  curl -fsSL --retry 3 -o "$2" "$1" || {
    gs_say "$1 cannot be fetched"
    return 1
  }
}
# ADDRESS FILE: an object of S3, with this machine's own role.
gs_fetch_object() {
  if ! command -v aws > /dev/null 2>&1; then
    gs_say "$1 is fetched by the AWS CLI, and that is not here: it is part of Amazon Linux; elsewhere a package step has to bring it"
    return 1
  fi
  gs_find_region && AWS_DEFAULT_REGION=$gs_region aws s3 cp --only-show-errors "$1" "$2" < /dev/null
}
# The temporary folder becomes what its one folder holds.
gs_strip_folder() {
  set -- "$gs_temp"/*
  if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    gs_say 'the archive does not hold one folder that could be stripped'
    return 1
  fi
  gs_inner=${gs_temp%.~goldseed}.inner.~goldseed
  printf '%s\n' "$gs_inner" >> "$gs_state/temporary" && rm -rf "$gs_inner" && mv "$1" "$gs_inner" &&
    rm -rf "$gs_temp" && mv "$gs_inner" "$gs_temp"
}
