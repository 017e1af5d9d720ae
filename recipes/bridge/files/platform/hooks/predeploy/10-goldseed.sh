#!/bin/sh
# The application is in the image that this machine was started from; this brings it to where Beanstalk serves it from.
# Beanstalk runs predeploy hooks as root in the folder that becomes /var/app/current, after it has put nginx's new
# configuration together in /var/proxy/staging.
set -eu

front=conf.d/elasticbeanstalk/01-goldseed-front.conf

# Two `location /` in one server are an error: the application's own holds. In /etc/nginx a deployment replaces files and
# removes none.
yield_front() {
    for file in /var/proxy/staging/nginx/conf.d/elasticbeanstalk/*.conf .platform/nginx/conf.d/elasticbeanstalk/*.conf \
        /opt/goldseed/bridge/nginx.d/*.conf; do
        case $file in *"/$front" | *'*.conf') continue ;; esac
        [ -f "$file" ] || continue
        sed 's/#.*//' "$file" | tr '\n' ' ' | grep -qE '(^|[;{}[:space:]])location[[:space:]]+/[[:space:]]*\{' || continue
        rm -f "/var/proxy/staging/nginx/$front" ".platform/nginx/$front" "/etc/nginx/$front"
        echo "goldseed: the location / of $file holds; the bridge brings none" >&2
        return
    done
}

# An option of the environment; nothing where it is not set or not known.
option() { /opt/elasticbeanstalk/bin/get-config optionsettings -n "$1" -o "$2" 2>/dev/null || :; }

# The folder that visitors see, without slashes around it.
document_root() { option aws:elasticbeanstalk:container:php:phpini document_root | sed -n 's|^/*||; s|/*$||; 1p'; }

# The path of the balancer's health check: `HTTP:80/path` and `/path?query` are written too.
health_path() {
    path=$(option aws:elasticbeanstalk:application 'Application Healthcheck URL')
    [ -n "$path" ] || path=$(option aws:elasticbeanstalk:environment:process:default HealthCheckPath)
    case $path in */*) printf '/%s\n' "${path#*/}" | sed 's/[?#].*//' ;; esac
}

is_placeholder() { [ -f index.php ] && grep -qF 'Waiting for the first golden image' index.php; }

# The bridge by itself: its page, where the environment's options look for one. It answers there and nowhere else.
show_placeholder() {
    root=$(document_root)
    health=$(health_path)
    case /$root/$health/ in */../*) return ;; esac
    if [ -n "$root" ]; then
        mkdir -p "$root"
        mv index.php "$root/index.php"
        cd "$root"
    fi
    printf '%s\n' "$health" >.goldseed-health
    for page in goldseed-health.php "${health#/}"; do
        case $page in *.php) ;; *) continue ;; esac
        [ "$page" != index.php ] || continue
        mkdir -p "$(dirname "./$page")"
        cp index.php "./$page"
    done
    chmod 0644 .goldseed-health
}

# The application's own code: the health page of golden machines, which the balancer may ask for already. Where visitors
# are to see a folder that the code does not have, nothing answers for it.
answer_health() {
    page=$(document_root)/goldseed-health.php
    page=./${page#/}
    case $page in */../*) return ;; esac
    [ "$(health_path)" = /goldseed-health.php ] && [ -d "${page%/*}" ] && [ ! -e "$page" ] || return 0
    cat >"$page" <<'PAGE'
<?php
header('Content-Type: text/plain; charset=utf-8');
header('Cache-Control: no-store');
echo "this machine was not started from a golden image\n";
PAGE
    chmod 0644 "$page"
}

yield_front
if [ -x /opt/goldseed/bridge/deploy ]; then
    # What this bundle shows on a machine without an application.
    if is_placeholder; then rm -f ./index.php; fi
    exec /opt/goldseed/bridge/deploy "$PWD"
fi
if [ -e /opt/goldseed ]; then
    echo 'goldseed: this golden image has no application: /opt/goldseed/bridge/deploy is not there (recipe bridge).' >&2
    exit 1
fi
# Before the first promotion an environment runs the platform's own image: it serves what the bundle holds, and is well.
if is_placeholder; then
    show_placeholder
    echo 'goldseed: this machine was not started from a golden image; it shows a placeholder until one is promoted.' >&2
else
    answer_health
    echo "goldseed: this machine was not started from a golden image; it serves the bundle's own code." >&2
fi
