# Prints what the application version holds that is deployed on this instance. It changes nothing: what it unpacks lies in
# memory and is removed. Beanstalk keeps the bundle; an instance that was never deployed to, or only with the sample
# application, has none.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
bundle=/opt/elasticbeanstalk/deployment/app_source_bundle
if [ ! -s "$bundle" ]; then
  echo absent
  echo end
  exit 0
fi
work=$(mktemp -d -p /run) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/files"
if command -v unzip > /dev/null 2>&1; then
  unzip -Z1 "$bundle" > "$work/names" 2> "$work/errors" || {
    echo "unreadable $(head -n 1 "$work/errors")"
    echo end
    exit 0
  }
  # 11: nothing of this name is in it.
  unzip -qq -o "$bundle" '.platform/*' '.ebextensions/*' './.platform/*' './.ebextensions/*' index.php -d "$work/files" \
    > /dev/null 2> "$work/errors"
elif command -v python3 > /dev/null 2>&1; then
  python3 - "$bundle" "$work" 2> "$work/errors" << 'END_OF_PROGRAM' || { echo "unreadable $(tail -n 1 "$work/errors")"; echo end; exit 0; }
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as bundle:
    names = bundle.namelist()
    with open(sys.argv[2] + '/names', 'w') as listed:
        listed.write(''.join(name + '\n' for name in names))
    for name in names:
        plain = name[2:] if name.startswith('./') else name
        if plain.startswith(('.platform/', '.ebextensions/')) or plain == 'index.php':
            bundle.extract(name, sys.argv[2] + '/files')
END_OF_PROGRAM
else
  echo 'unreadable there is neither unzip nor python3'
  echo end
  exit 0
fi
echo "bundle $(sha256sum < "$bundle" | cut -d ' ' -f 1)"
sed 's|^\./||' "$work/names" > "$work/plain"
sed -n 's|^\([^/]\{1,\}\).*|top \1|p' "$work/plain" | sort -u | head -n 100
grep -E '^\.(platform|ebextensions)/.*[^/]$' "$work/plain" | sort -u | head -n 200 | sed 's/^/file /'
cd "$work/files" || exit 1
grep -rlF /opt/goldseed/bridge .platform .ebextensions 2> /dev/null | sort | head -n 40 | sed 's/^/calls /'
grep -rlE '^"?Resources"?[[:space:]]*:|^[[:space:]]*"Resources"[[:space:]]*:' .ebextensions 2> /dev/null | sort | head -n 40 | sed 's/^/resources /'
grep -qsF 'Waiting for the first golden image' index.php && echo placeholder
find .platform -type f -path '*goldseed*' -exec sha256sum {} + 2> /dev/null | head -n 40 | sed 's/^\([0-9a-f]*\)  /digest \1 /'
echo end
