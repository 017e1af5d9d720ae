<?php
/**
 * Ends with 0 unless Moodle would refuse the upgrade before it starts: what its upgrade.php checks by itself, asked before
 * the site is put into maintenance; run in Moodle's folder.
 *
 *   upgrade-check.php [--allow-unstable]
 */
define('CLI_SCRIPT', true);
define('CACHE_DISABLE_ALL', true);
require getcwd() . '/config.php';

global $CFG;
require_once "$CFG->libdir/adminlib.php";
require_once "$CFG->libdir/upgradelib.php";
require_once "$CFG->libdir/environmentlib.php";
require "$CFG->dirroot/version.php";

$problems = [];
try {
    [$fits, $results] = check_moodle_environment(normalize_version($release), ENV_SELECT_RELEASE);
    if (!$fits) {
        foreach (environment_get_errors($results) as [$subject, $report]) {
            $problems[] = trim(strip_tags("$subject: $report"));
        }
        $problems = $problems ?: ['its environment check fails'];
    }
    $failed = [];
    if (!core_plugin_manager::instance()->all_plugins_ok($version, $failed, $branch ?? null)) {
        $problems[] = 'plugins that do not fit, or whose dependencies are missing: ' . implode(', ', array_unique($failed));
    }
} catch (Throwable $error) {
    // Another version of Moodle may ask otherwise. An upgrade that it refuses ends the maintenance again.
    fwrite(STDERR, "what Moodle $release would refuse could not be checked: {$error->getMessage()}\n");
}
if (($maturity ?? MATURITY_STABLE) < MATURITY_STABLE && !in_array('--allow-unstable', $argv, true)) {
    $problems[] = "$release is not a stable version; `upgrade-moodle: {allow_unstable: true}` takes it all the same";
}
foreach ($problems as $problem) {
    fwrite(STDERR, "Moodle $release refuses the upgrade: $problem\n");
}
exit($problems === [] ? 0 : 1);
