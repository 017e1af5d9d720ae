# Prints the files below .platform/nginx of the application version that is deployed on this instance, packed. It changes
# nothing: what it unpacks lies in memory and is removed.
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
if command -v unzip > /dev/null 2>&1; then
  unzip -Z1 "$bundle" > "$work/names" || exit 1
  # 11: nothing of this name is in it.
  unzip -qq -o "$bundle" '.platform/nginx/*' './.platform/nginx/*' -d "$work" > /dev/null 2>&1
else
  python3 - "$bundle" "$work" << 'END_OF_PROGRAM' || exit 1
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as bundle:
    for name in bundle.namelist():
        plain = name[2:] if name.startswith('./') else name
        if plain.startswith('.platform/nginx/'):
            bundle.extract(name, sys.argv[2])
END_OF_PROGRAM
fi
if [ -d "$work/.platform/nginx" ]; then
  chmod -R u=rwX,go=rX "$work/.platform/nginx"
  printf 'packed '
  tar -C "$work/.platform" --owner 0 --group 0 --sort name --mtime @0 -c nginx | gzip -9n | base64 -w 0
  echo
else
  echo absent
fi
echo end
