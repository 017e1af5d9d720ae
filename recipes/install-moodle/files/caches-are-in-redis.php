<?php
/**
 * Ends with 0 when Moodle's caches are in Redis and that answers; run in Moodle's folder.
 *
 * Moodle goes on without caches where it does not, slowly, and tells nobody.
 */
define('CLI_SCRIPT', true);
require getcwd() . '/config.php';

// It has had both names.
$config = class_exists('\core_cache\config') ? '\core_cache\config' : 'cache_config';
$store = $config::instance()->get_all_stores()['goldseed_redis'] ?? null;
if ($store === null) {
    fwrite(STDERR, "Moodle does not read $CFG->altcacheconfigpath, where its caches in Redis are configured\n");
    exit(1);
}
$class = $store['class'];
if (!$class::are_requirements_met() || !(new $class($store['name'], $store['configuration']))->is_ready()) {
    fwrite(STDERR, "the Redis of Moodle's caches does not answer as it should: {$store['configuration']['server']}\n");
    exit(1);
}
echo "Moodle's caches are in Redis\n";
