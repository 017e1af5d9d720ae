# shellcheck shell=bash
# shellcheck disable=SC2154  # what scripts/demo sets
# The site, as a visitor and as its administrator.

administrator='admin'
administrator_parameter=/shop/wordpress-admin

# Asks for a path of the site: through the balancer, or with an address through that machine alone. More goes to curl.
visit() {
    local path=$1 through=${2:-}
    shift $(($# < 2 ? $# : 2))
    curl --silent --show-error --fail --noproxy '*' --max-time 30 ${through:+--connect-to "::$through:80"} "$@" "$site$path"
}

banner_on() { sed -n 's:.*<p class="shop-banner"[^>]*>\([^<]*\)</p>.*:\1:p'; }

# The home page comes through the balancer from every instance, is WordPress's, and has this banner.
home_page_shows() {
    local banner=$1 tries=0 page address from seen=' '
    while [ $tries -lt 40 ]; do
        tries=$((tries + 1))
        page=$(visit / '' --include) || fail "the home page does not come through the load balancer"
        if [[ $page != *wp-content/themes/* || $page != *'<title>The Shop'* ]]; then
            fail "the page at $site/ is not WordPress's home page"
        fi
        [ "$(banner_on <<<"$page")" = "$banner" ] ||
            fail "the home page says '$(banner_on <<<"$page")', and '$banner' was to be there"
        from=$(sed -n 's/^X-Served-By: \([0-9.]*\).*/\1/Ip' <<<"$page")
        seen="$seen$from "
        for address in "${addresses[@]}"; do
            [[ $seen == *" $address "* ]] || continue 2
        done
        return
    done
    fail "the balancer sent $tries visits to$seen alone, and the instances are at ${addresses[*]}"
}

# Chooses the administrator's password and puts it where the recipe looks for it: encrypted, in Parameter Store.
make_administrator_password() {
    local password
    password=$(od -An -v -N 15 -t x1 /dev/urandom | tr -d ' \n')
    systems_manager PutParameter >/dev/null <<<"{\"Name\": \"$administrator_parameter\", \"Type\": \"SecureString\",
        \"Value\": \"$password\", \"Description\": \"The password of WordPress's administrator\"}"
    # For the person who wants to log in.
    {
        echo '#!/bin/bash'
        echo "# Prints the password of $administrator, read from Parameter Store."
        echo 'set -euo pipefail'
        declare -p AWS_REGION AWS_ENDPOINT_URL administrator_parameter
        declare -f call systems_manager administrator_password
        echo administrator_password
    } >"$demo/wordpress-password"
    chmod 755 "$demo/wordpress-password"
}

administrator_password() {
    systems_manager GetParameter <<<"{\"Name\": \"$administrator_parameter\", \"WithDecryption\": true}" |
        sed -n 's/.*"Value" *: *"\([^"]*\)".*/\1/p'
}

# Logs in by the form, through the balancer. All machines know the session, as their keys are the same.
log_in() {
    (umask 077 && : >"$demo/cookies")
    administrator_password | tr -d '\n' |
        visit /wp-login.php '' --output /dev/null --cookie-jar "$demo/cookies" --data-urlencode "log=$administrator" \
            --data-urlencode pwd@-
    nonce=$(visit '/wp-admin/admin-ajax.php?action=rest-nonce' '' --cookie "$demo/cookies") ||
        fail "WordPress did not let $administrator in"
}

# Asks WordPress's REST API as the administrator: path, address, more for curl.
administer() { visit "/wp-json/wp/v2$1" "$2" --cookie "$demo/cookies" --header "X-WP-Nonce: $nonce" "${@:3}"; }

# Writes a post through the machine at an address, with this title.
write_post() {
    administer /posts "$2" --output /dev/null --data-urlencode "title=$1" --data-urlencode status=publish \
        --data-urlencode "content=Written through the machine at $2."
}

# Tells whether the home page, through the machine at an address, lists a post with this title.
post_shows() {
    local page
    page=$(visit / "$2") && [[ $page == *"$1"* ]]
}

# Uploads a text through the machine at an address, and prints the path of the file.
upload() {
    local text=$1 through=$2
    administer /media "$through" --header 'Content-Type: text/plain' \
        --header "Content-Disposition: attachment; filename=note-$(date +%s).txt" --data-binary "$text" |
        sed -n 's/.*"source_url":"\([^"]*\)".*/\1/p' | sed -e 's:\\/:/:g' -e 's,^https\?://[^/]*,,'
}
