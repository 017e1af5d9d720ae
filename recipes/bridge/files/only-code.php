<?php
/**
 * Runs before every script that php-fpm is asked for, and refuses each that is not code of this image.
 *
 * An address says little about the file behind it: links, aliases and PATH_INFO lead from the application's folder to
 * shares, where visitors leave files. The decision is therefore made by the script's real path: it lies below a folder of
 * code, on the file system of that folder, and not below a folder that apps.d links for users' files.
 */
(static function (): void {
    $script = realpath($_SERVER['SCRIPT_FILENAME'] ?? '');
    $below = static fn (string $folder): bool => is_string($script) && str_starts_with($script, rtrim($folder, '/') . '/');
    $is_code = static function () use ($script, $below): bool {
        foreach (glob('/opt/goldseed/bridge/apps.d/*') ?: [] as $list) {
            foreach (file($list) ?: [] as $line) {
                $words = preg_split('/\s+/', trim($line), 3);
                if ($words[0] === 'link' && $below($words[2] ?? '')) {
                    return false;
                }
            }
        }
        foreach (['/var/app/current', '/opt', '/usr'] as $folder) {
            if ($below($folder) && stat($script)['dev'] === stat($folder)['dev']) {
                return true;
            }
        }
        return false;
    };
    if (!$is_code()) {
        error_log('goldseed: ' . ($script ?: 'a script without a path') . ' is not code of this image, so it was not run');
        http_response_code(403);
        header('Content-Type: text/plain; charset=utf-8');
        exit("Forbidden\n");
    }
})();

// php-fpm's pool names this file, so what php.ini names for the same purpose is run from here.
if ((string) get_cfg_var('auto_prepend_file') !== '') {
    require get_cfg_var('auto_prepend_file');
}
