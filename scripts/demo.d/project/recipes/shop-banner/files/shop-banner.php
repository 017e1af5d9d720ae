<?php
/**
 * Plugin Name: Shop banner
 * Description: A line of text on top of every page, and the address of the machine that made it.
 */

const SHOP_BANNER = 'Grown from the first golden image';

add_action('wp_body_open', static function (): void {
    printf(
        '<p class="shop-banner" style="margin:0;padding:.6em;text-align:center;background:#f4c430;color:#222">%s</p>',
        esc_html(SHOP_BANNER)
    );
    echo "\n";
});

add_action('send_headers', static function (): void {
    header('X-Served-By: ' . ($_SERVER['SERVER_ADDR'] ?? 'unknown'));
});
