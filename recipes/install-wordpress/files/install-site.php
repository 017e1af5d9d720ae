<?php
/**
 * Sets WordPress up in an empty database, once.
 *
 *   php install-site.php is-installed   ends with 0 when there is nothing to do
 *   php install-site.php                TITLE, ADMIN_USER, ADMIN_EMAIL and perhaps SITE_LANGUAGE in the environment
 *
 * A database that holds anything else than this WordPress is left alone.
 */

// The first message of a site would go to an address that nobody may have checked yet.
function wp_new_blog_notification() {}

define('WP_INSTALLING', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
$_SERVER['HTTP_HOST'] ??= 'localhost';
$_SERVER['REQUEST_URI'] ??= '/';
$_SERVER['SERVER_PROTOCOL'] ??= 'HTTP/1.1';
// WordPress ends with a page and 0 when it has no database: that must not read as "nothing to do".
$finished = false;
register_shutdown_function(static function () use (&$finished): void {
    if (!$finished) {
        exit(1);
    }
});
require '/opt/goldseed/app/wordpress/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';

function leave(string $message, int $code): never
{
    global $finished;
    $finished = true;
    fwrite($code === 0 ? STDOUT : STDERR, $message . "\n");
    exit($code);
}

$wpdb->suppress_errors();
if (($argv[1] ?? '') === 'is-installed') {
    $finished = true;
    // A set-up that was stopped in the middle has its settings and nobody who could log in.
    exit(is_blog_installed() && $wpdb->get_var("SELECT 1 FROM $wpdb->users LIMIT 1") ? 0 : 1);
}
// Two seeds at once: the second waits, and finds it done.
if ($wpdb->get_var("SELECT GET_LOCK('goldseed-install-wordpress', 60)") !== '1') {
    leave('another machine is setting this database up', 1);
}
wp_cache_flush();
if (is_blog_installed()) {
    if (!$wpdb->get_var("SELECT 1 FROM $wpdb->users LIMIT 1")) {
        leave('the set-up of WordPress in ' . DB_NAME . ' was stopped half-way: it has no user. Empty that database', 1);
    }
    leave('WordPress is installed already', 0);
}
$tables = $wpdb->get_col('SHOW TABLES');
if ($tables !== []) {
    leave('the database ' . DB_NAME . ' is not empty and holds no WordPress with the prefix ' . $table_prefix
        . ' (it has the table ' . $tables[0] . '): nothing was changed', 1);
}

$language = (string) getenv('SITE_LANGUAGE');
if (!in_array($language, ['', 'en_US'], true) && !in_array($language, get_available_languages(), true)) {
    leave("the language $language is not in the code (wp-content/languages/$language.mo): the archive of another language has"
        . ' it, such as those of https://de.wordpress.org, or the package wordpress-l10n', 1);
}

// With a structure of links chosen beforehand WordPress does not try them out over the network.
$permalinks = '/%postname%/';
add_filter('pre_option_permalink_structure', static fn (): string => $permalinks);
$password = '/run/goldseed-secrets/wordpress-admin-password';
$password = is_readable($password) ? rtrim((string) file_get_contents($password), "\r\n") : '';
$made = wp_install(
    (string) getenv('TITLE'),
    (string) getenv('ADMIN_USER'),
    (string) getenv('ADMIN_EMAIL'),
    true,
    '',
    wp_slash($password !== '' ? $password : wp_generate_password(32)),
    $language === 'en_US' ? '' : $language
);
remove_all_filters('pre_option_permalink_structure');
update_option('permalink_structure', $permalinks);
flush_rewrite_rules(false);
if ($wpdb->last_error !== '' && !is_blog_installed()) {
    leave('WordPress could not be installed: ' . $wpdb->last_error, 1);
}
leave('WordPress ' . get_bloginfo('version') . ' is installed, user number ' . $made['user_id'], 0);
