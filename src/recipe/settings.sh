# Settings of the kernel and of PHP, and swap files.

# STRICT [FILE CONTENT KEY PATH VALUE]...: a file for each key, and the running kernel where it lets itself be told.
gs_sysctl() {
  gs_strict=$1
  shift
  mkdir -p "$gs_root/etc/sysctl.d" || return 1
  while [ $# -gt 0 ]; do
    gs_system_file "$1" 0644 "$2" && gs_kernel "$3" "$gs_root/proc/sys/$4" "$5" || return 1
    shift 5
  done
}
# KEY PATH VALUE
gs_kernel() {
  if [ ! -e "$2" ]; then
    gs_refused "this kernel has no $1: it is mistyped, or its module is not loaded"
    return
  fi
  gs_flat "$(cat "$2")"
  gs_now=$gs_flat
  gs_flat "$3"
  [ "$gs_now" != "$gs_flat" ] || return 0
  if [ ! -w "$2" ]; then
    gs_refused "$1 is $gs_now, and the kernel here does not let it be changed (it may be the kernel of a container's host)"
    return
  fi
  gs_touch || return 1
  { printf '%s\n' "$3" > "$2"; } 2>/dev/null || gs_refused "the kernel does not take $3 for $1; it stays $gs_now"
}
# What is for the image counts when its machines boot; what is for this machine must hold here.
gs_refused() {
  gs_say "$1"
  [ "$gs_strict" = no ] || return 1
  gs_say 'the file is written; machines of the image set it when they boot'
}
# TEXT: with one blank wherever there are some.
gs_flat() {
  set -f
  set -- $1
  set +f
  gs_flat=$*
}

# PATH BYTES
gs_swap() {
  if gs_is_seed; then
    gs_say "this is the seed: $1 is made on the machines of the image"
    return 0
  fi
  gs_now=
  if [ -f "$1" ]; then gs_now=$(stat -c '%s|%a|%u' "$1"); fi
  gs_active=
  while read -r gs_name gs_rest; do
    if [ "$gs_name" = "$1" ]; then gs_active=1; fi
  done < "$gs_root/proc/swaps"
  if [ "$gs_now" = "$2|600|0" ]; then
    [ -z "$gs_active" ] || return 0
    # Its head may be lost while its size is right.
    gs_touch && { swapon "$1" 2>/dev/null || { mkswap "$1" > /dev/null && swapon "$1"; }; }
    return
  fi
  gs_touch || return 1
  if [ -n "$gs_active" ]; then swapoff "$1" || return 1; fi
  mkdir -p "${1%/*}/" && gs_temporary "$1" || return 1
  # A file with holes would be no swap; where the file system cannot set blocks aside they are written.
  ( umask 077; fallocate -l "$2" "$gs_temp" 2>/dev/null || dd if=/dev/zero of="$gs_temp" bs=1048576 count=$(($2 / 1048576)) 2>/dev/null ) &&
    mkswap "$gs_temp" > /dev/null && gs_settle "$1" root root 0600 && swapon "$1" || {
    gs_say "no swap of $2 bytes can be made at $1"
    rm -f "$gs_temp"
    return 1
  }
}

# NAME SAPI CONTENT: Amazon Linux has one folder for all, Debian one for each version and each way of running PHP.
gs_php_ini() {
  gs_found=
  gs_sapi=$2
  [ "$gs_sapi" != any ] || gs_sapi='*'
  for gs_folder in "$gs_root/etc/php.d" "$gs_root"/etc/php/*/$gs_sapi/conf.d; do
    [ -d "$gs_folder" ] || continue
    gs_found=1
    gs_target=$gs_folder/99-$1.ini
    # cmp stops reading at the first difference, which printf would call an error.
    if printf %s "$3" 2>/dev/null | cmp -s - "$gs_target" && [ "$(stat -L -c '%f|%U|%G' "$gs_target")" = '81a4|root|root' ]; then continue; fi
    gs_touch && gs_temporary "$gs_target" && printf %s "$3" > "$gs_temp" && gs_settle "$gs_target" root root 0644 || return 1
  done
  [ -n "$gs_found" ] || {
    gs_say 'there is no PHP here whose settings could be changed; a package step has to bring it first'
    return 1
  }
}

# NAME...
gs_php_extension() {
  gs_php_modules || return 1
  for gs_extension in "$@"; do
    gs_php_has "$gs_extension" && continue
    gs_php_candidates "$gs_extension"
    gs_touch || return 1
    # Names of packages hold no blanks and no wildcards.
    gs_php_install $gs_candidates || return 1
    gs_php_modules && gs_php_has "$gs_extension" || {
      gs_say "a package for the extension $gs_extension is installed, but PHP $gs_php_version does not load it"
      return 1
    }
  done
}
# What the PHP of this machine has loaded, in small letters, and its version: 8.3.
gs_php_modules() {
  for gs_php in php php-fpm "$gs_root"/usr/sbin/php-fpm[0-9]*; do
    command -v "$gs_php" > /dev/null 2>&1 || continue
    gs_modules=$gs_nl$("$gs_php" -m | tr '[:upper:]' '[:lower:]')$gs_nl
    gs_php_version=$("$gs_php" -v | sed -n '1s/^PHP \([0-9]*\.[0-9]*\).*/\1/p')
    [ -z "$gs_php_version" ] || return 0
  done
  gs_say 'there is no PHP here; a package step has to bring it first'
  return 1
}
gs_php_has() { case $gs_modules in *"$gs_nl$1$gs_nl"* | *"${gs_nl}zend $1$gs_nl"*) ;; *) return 1 ;; esac; }
# NAME: the packages that may hold it. Some hold several extensions, and those are called by other names.
gs_php_candidates() {
  gs_name=$1
  case $gs_name in dom | simplexml | xmlreader | xmlwriter | xsl) gs_name=xml ;; pdo_pgsql) gs_name=pgsql ;; esac
  if command -v dnf > /dev/null 2>&1; then
    case $gs_name in mysqli | pdo_mysql) gs_name=mysqlnd ;; sqlite3 | pdo_sqlite) gs_name=pdo ;; esac
    # What is built from PECL may have a number in its name: php8.2-pecl-redis6.
    gs_candidates="php$gs_php_version-$gs_name php-$gs_name"
    for gs_package in "php$gs_php_version-pecl-$gs_name" "php-pecl-$gs_name"; do
      gs_candidates="$gs_candidates $gs_package $gs_package[0-9]"
    done
  else
    case $gs_name in mysqli | pdo_mysql | mysqlnd) gs_name=mysql ;; pdo_sqlite) gs_name=sqlite3 ;; esac
    gs_candidates="php$gs_php_version-$gs_name php-$gs_name"
  fi
}
# CANDIDATE...: the first that there is, for gs_extension.
gs_php_install() {
  if command -v dnf > /dev/null 2>&1; then
    # All are asked for at once; of several numbers the highest counts. Amazon Linux passes over a repository that cannot
    # be asked, and then what is there alone would not be known.
    gs_known=$(dnf -q --setopt=skip_if_unavailable=0 repoquery --qf '%{name}' "$@" < /dev/null) || {
      gs_say "the repositories cannot be asked which package brings the extension $gs_extension"
      return 1
    }
    gs_known=$(printf '%s\n' "$gs_known" | sort -ru)
    for gs_candidate in "$@"; do
      for gs_package in $gs_known; do
        case $gs_package in $gs_candidate)
          gs_install "$gs_package"
          return
          ;;
        esac
      done
    done
    gs_say "no package brings the extension $gs_extension; looked for: $*"
    return 1
  fi
  for gs_round in known renewed; do
    [ "$gs_round" = known ] || gs_apt_renew
    for gs_package in "$@"; do
      if gs_apt_knows "$gs_package"; then
        gs_install "$gs_package"
        return
      fi
    done
  done
  gs_say "no package brings the extension $gs_extension; looked for: $*"
  return 1
}
