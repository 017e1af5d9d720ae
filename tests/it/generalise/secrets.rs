//! Secrets are refused by their kind, wherever they got to, and are never printed.

use super::tree::{Tree, shells};
use crate::world::World;

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn secrets_are_refused_by_kind_and_their_values_never_printed() {
    let secrets = [
        (
            "root/.aws/credentials",
            "[default]\naws_secret_access_key = hunter2hunter2\n",
            "AWS credentials",
        ),
        (
            "opt/goldseed/app/shop/config.json",
            "{\"key\": \"AKIAIOSFODNN7EXAMPLE\"}\n",
            "AWS credentials",
        ),
        (
            "opt/goldseed/app/shop/.env",
            "APP_NAME=shop\nDB_PASSWORD=hunter2\n",
            "a literal password",
        ),
        (
            "var/www/wp-config.php",
            "<?php define( 'DB_PASSWORD', 'hunter2' );\n",
            "a literal password",
        ),
        (
            "srv/wp-config.php",
            "<?php define('AUTH_KEY', \"hunter2hunter2\");\n",
            "a literal password",
        ),
        (
            "srv/moodle/config.php",
            "<?php $CFG->dbpass = 'hunter2';\n",
            "a literal password",
        ),
        (
            "srv/app/settings.php",
            "<?php return ['password' => 'hunter2'];\n",
            "a literal password",
        ),
        (
            "root/.my.cnf",
            "[client]\npassword=hunter2\n",
            "a password of a database client",
        ),
        (
            "root/.composer/auth.json",
            "{\"github-oauth\": {\"github.com\": \"hunter2\"}}\n",
            "a login for a service",
        ),
        (
            "home/ec2-user/.ssh/id_ed25519",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n",
            "a private key of a person",
        ),
        (
            "etc/nginx/tls/site.key",
            "-----BEGIN PRIVATE KEY-----\nhunter2\n",
            "a private key",
        ),
        (
            "etc/sysconfig/app",
            "export API_TOKEN=hunter2\n",
            "a secret in a setting of a service",
        ),
        (
            "etc/php-fpm.d/www.conf",
            "env[DB_PASSWORD] = hunter2\n",
            "a secret in a setting of a service",
        ),
        (
            "etc/systemd/system/app.service.d/e.conf",
            "[Service]\nEnvironment=DB_PASSWORD=hunter2\n",
            "a secret in a setting",
        ),
        (
            "root/.npmrc",
            "//registry/:_authToken=hunter2\n",
            "a login for a service",
        ),
        (
            "root/.docker/config.json",
            "{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"aHVudGVyMjpodW50ZXIy\"}}}\n",
            "a login for a service",
        ),
        (
            "home/ec2-user/.docker/config.json",
            "{\n\t\"auths\": {\n\t\t\"r\": {\n\t\t\t\"identitytoken\": \"hunter2hunter2\"\n\t\t}\n\t}\n}\n",
            "a login for a service",
        ),
        (
            "root/.aws/sso/cache/0a.json",
            "{\"startUrl\":\"x\",\"accessToken\":\"hunter2hunter2\"}\n",
            "a login for a service",
        ),
        (
            "root/.aws/cli/cache/0a.json",
            "{\"Credentials\": {\"SecretAccessKey\": \"hunter2hunter2\"}}\n",
            "a login for a service",
        ),
        (
            "root/.config/gh/hosts.yml",
            "github.com:\n    oauth_token: hunter2hunter2\n",
            "a login for a service",
        ),
        (
            "root/.config/hub",
            "github.com:\n- oauth_token: hunter2hunter2\n",
            "a login for a service",
        ),
        (
            "root/.config/composer/auth.json",
            "{\"github-oauth\": {\"github.com\": \"hunter2\"}}\n",
            "a login for a service",
        ),
        (
            "srv/shop/composer.json",
            "{\"config\": {\n\"http-basic\": {\n\"repo.example\": {\"username\": \"x\", \"password\": \"hunter2hunter2\"}}}}\n",
            "a login for a service",
        ),
        (
            "root/.composer/config.json",
            "{\"config\": {\"github-oauth\": {\"github.com\": \"hunter2hunter2\"}}}\n",
            "a login for a service",
        ),
        (
            "etc/profile.d/app.sh",
            "export DB_PASSWORD='hunter2'\n",
            "a secret in a variable that every program gets",
        ),
        (
            "etc/profile.d/app.csh",
            "setenv DB_PASSWORD hunter2\n",
            "a secret in a variable that every program gets",
        ),
        (
            "etc/environment",
            "DB_PASSWORD=hunter2\n",
            "a literal password",
        ),
        (
            "etc/environment.d/x.conf",
            "API_TOKEN=hunter2\n",
            "a secret in a variable that every program gets",
        ),
        (
            "etc/security/pam_env.conf",
            "DB_PASSWORD DEFAULT=hunter2\n",
            "a secret in a variable that every program gets",
        ),
        (
            "etc/cron.d/shop2",
            "*/5 * * * * root DB_PASSWORD=hunter2 /bin/x\n",
            "a secret in a variable that every program gets",
        ),
        (
            "etc/cron.d/shop",
            "* * * * * root DB_PASSWORD=hunter2 /bin/x\n",
            "a secret in a variable that every program gets",
        ),
        (
            "etc/profile.d/db.sh",
            "export MYSQL_PWD=hunter2\n",
            "a secret in a variable that every program gets",
        ),
        (
            "etc/cron.daily/b",
            "#!/bin/sh\nDB_PASSWORD=hunter2 mysqldump\n",
            "a secret in a variable that every program gets",
        ),
        (
            "root/.bashrc",
            "export AWS_SECRET_ACCESS_KEY=hunter2hunter2\n",
            "a secret in a variable that every program gets",
        ),
        (
            "home/ec2-user/.profile",
            "export COMPOSER_AUTH='{\"x\":\"hunter2\"}'\n",
            "a secret in a variable that every program gets",
        ),
        (
            "srv/shop/.git/config",
            "[remote \"origin\"]\n\turl = https://bot:hunter2@git.example/x.git\n",
            "a login for a service",
        ),
        (
            "opt/x/deploy.txt",
            "token ghp_a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1\n",
            "a token of a service",
        ),
        (
            "data/app/.env",
            "DB_PASSWORD=hunter2\n",
            "a literal password",
        ),
        (
            "root/.kube/config",
            "users:\n- user:\n    token: hunter2hunter2\n",
            "a login for a service",
        ),
        (
            "root/.vault-token",
            "hunter2hunter2\n",
            "a login for a service",
        ),
        (
            "etc/pip.conf",
            "[global]\nindex-url = https://u:hunter2@p.example/simple\n",
            "a login for a service",
        ),
        (
            "root/.cargo/credentials.toml",
            "[registry]\ntoken = \"hunter2hunter2\"\n",
            "a login for a service",
        ),
    ];
    for shell in shells() {
        let tree = Tree::bare(shell);
        for (path, content, _) in secrets {
            tree.write(path, content);
        }
        let output = tree.run("scan.sh", &[]);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(output.status.code(), Some(1), "{shell:?}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
        for (path, _, kind) in secrets {
            let line = format!("FAIL secrets: /{path}: {kind}");
            assert!(text.contains(&line), "{shell:?}: {line} is not in\n{text}");
        }
        assert_eq!(text.matches("FAIL").count(), secrets.len(), "{text}");
        let allowed: Vec<String> = secrets
            .iter()
            .map(|(path, ..)| format!("allow /{path}\n"))
            .collect();
        tree.write("opt/goldseed/generalise.d/own", &allowed.concat());
        assert_eq!(tree.succeed("scan.sh", &[]), "pass secrets\n");
    }
}

#[test]
fn what_only_looks_like_a_secret_passes() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        for (path, content) in [
            (
                "opt/goldseed/app/wordpress/wp-config.php",
                "<?php define('DB_PASSWORD', $goldseed_password);\n",
            ),
            (
                "opt/goldseed/app/wordpress/wp-config-sample.php",
                "<?php define( 'DB_PASSWORD', 'password_here' );\n",
            ),
            (
                "srv/wp-config.php",
                "<?php define( 'AUTH_KEY', 'put your unique phrase here' );\n",
            ),
            ("srv/.env.example", "DB_PASSWORD=changeme\n"),
            ("srv/.env", "DB_PASSWORD=${DB_PASSWORD}\nTOKEN=\n"),
            (
                "srv/config.php",
                "<?php $CFG->dbpass = getenv('DB_PASSWORD');\n",
            ),
            ("etc/sysconfig/network", "NETWORKING=yes\n"),
            (
                "root/.docker/config.json",
                "{\"credHelpers\": {\"x.dkr.ecr\": \"ecr-login\"}, \"credsStore\": \"ecr-login\"}\n",
            ),
            (
                "etc/profile.d/lang.sh",
                "# export DB_PASSWORD=x\nexport LANG=C\nTOKEN=$(cat /run/x)\nSECRET=\"$X\"\nPASSWORD=`get`\nexport AWS_WEB_IDENTITY_TOKEN_FILE=/run/token\n",
            ),
            (
                "root/.config/gh/hosts.yml",
                "github.com:\n    git_protocol: https\n    user: me\n",
            ),
            (
                "srv/.git/config",
                "[remote \"origin\"]\n\turl = https://github.com/x/y.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
            ),
            (
                "srv/composer.json",
                "{\"require\": {\"php\": \">=8\"}, \"config\": {\"http-basic\": {}}}\n",
            ),
            (
                "etc/yum.repos.d/a.repo",
                "[x]\nbaseurl=https://cdn.example/x\ngpgkey=https://a.example/b:c/d@e\n",
            ),
            (
                "root/.aws/config",
                "[default]\nregion=eu-central-1\nsso_session = my\n",
            ),
            ("root/.kube/config", "users: []\n"),
            (
                "etc/cron.hourly/x",
                "#!/bin/sh\necho the token expired, the password too\nproxy_pass=1\n",
            ),
            (
                "etc/cron.d/x",
                "MAILTO=root\n# token secret\n0 * * * * root test -e /run/secret && /bin/x\n",
            ),
            (
                "opt/goldseed/boot/boot.sh",
                "key=${AWS_SECRET_ACCESS_KEY:-}\n",
            ),
            ("etc/default/app", "# API_TOKEN=changeme\nTOKEN_FILE=\n"),
            ("etc/nginx/nginx.conf", "fastcgi_param HTTPS $https;\n"),
            (
                "etc/ssl/private/ssl-cert-snakeoil.key",
                "-----BEGIN PRIVATE KEY-----\n",
            ),
            (
                "etc/mysql/my.cnf",
                "# password = secret\n[client]\nport = 3306\n",
            ),
        ] {
            tree.write(path, content);
        }
        assert_eq!(tree.succeed("scan.sh", &[]), "pass secrets\n", "{shell:?}");
    }
}

/// What the step `archive` notes when it unpacks this file alone.
fn shipped(folder: &str, name: &str, content: &str) -> String {
    let digest = goldseed::id::Digest::of(content);
    format!(
        "archive {} /{folder}\n{digest}  ./{name}\n",
        "a1".repeat(32)
    )
}

#[test]
fn a_literal_that_a_pinned_archive_ships_is_no_secret_until_its_file_changes() {
    let published = [
        (
            "opt/goldseed/app/moodle",
            "mod/bigbluebuttonbn/classes/local/config.php",
            "<?php\nclass config {\n    public const DEFAULT_SHARED_SECRET = 'c0ffee';\n}\n",
        ),
        (
            "opt/goldseed/app/wordpress/wp-content/plugins/pay",
            "settings.php",
            "<?php return ['secret' => 'c0ffee'];\n",
        ),
        (
            "opt/goldseed/app/shop/vendor",
            "maker/client/test/fixtures/server's [own].key",
            "-----BEGIN RSA PRIVATE KEY-----\nc0ffee\n",
        ),
        ("srv/framework", ".env.testing", "APP_KEY=base64:c0ffee\n"),
        (
            "srv/app",
            "docker/sample.cnf",
            "[client]\npassword=c0ffee\n",
        ),
    ];
    for shell in shells() {
        let tree = Tree::bare(shell);
        for (number, (folder, name, content)) in published.iter().enumerate() {
            tree.write(&format!("{folder}/{name}"), content);
            let list = shipped(folder, name, content);
            tree.write(&format!("var/lib/goldseed/shipped/{number}"), &list);
        }
        let said = tree.succeed("scan.sh", &[]);
        for (folder, name, _) in published {
            assert!(
                said.contains(&format!("note secrets: /{folder}/{name}: ")),
                "{shell:?}: {said}"
            );
        }
        assert!(!said.contains("c0ffee"), "{said}");
        assert!(
            said.contains("unchanged from the pinned archive a1a1"),
            "{said}"
        );

        // Another file of the same folder, another content, and the same content elsewhere are searched as ever.
        let (folder, name, content) = published[1];
        tree.write(&format!("{folder}/local.php"), content);
        tree.write("srv/settings.php", content);
        let (changed, path, code) = published[0];
        tree.write(
            &format!("{changed}/{path}"),
            &code.replace("c0ffee", "hunter2"),
        );
        let kind = "a literal password in the configuration of an application";
        assert_eq!(
            tree.failures("scan.sh", &[]),
            [
                format!("FAIL secrets: /{changed}/{path}: {kind}"),
                format!("FAIL secrets: /{folder}/local.php: {kind}"),
                format!("FAIL secrets: /srv/settings.php: {kind}"),
            ],
            "{shell:?}"
        );
        assert!(tree.is_there(&format!("{folder}/{name}")));
    }
}

#[test]
fn what_configures_one_site_is_refused_wherever_it_came_from() {
    let tree = Tree::bare(shells()[0]);
    for (number, (name, content)) in [
        (".env", "DB_PASSWORD=hunter2\n"),
        (".env.production", "DB_PASSWORD=hunter2\n"),
        (".env.local", "DB_PASSWORD=hunter2\n"),
        ("wp-config.php", "<?php define('DB_PASSWORD', 'hunter2');\n"),
        ("settings.json", "{\"key\": \"AKIAIOSFODNN7EXAMPLE\"}\n"),
        ("auth.json", "{\"github.com\": \"hunter2\"}\n"),
        ("id_rsa", "-----BEGIN RSA PRIVATE KEY-----\n"),
    ]
    .iter()
    .enumerate()
    {
        tree.write(&format!("srv/{name}"), content);
        let list = shipped("srv", name, content);
        tree.write(&format!("var/lib/goldseed/shipped/{number}"), &list);
    }
    assert_eq!(tree.failures("scan.sh", &[]).len(), 7);
}

#[test]
fn a_literal_of_a_pinned_commit_is_no_secret_until_its_file_changes() {
    let tree = Tree::bare(shells()[0]);
    let code = "<?php return ['secret' => 'c0ffee'];\n";
    tree.write("srv/app/lib/settings.php", code);
    let made = std::process::Command::new("sh")
        .args([
            "-ec",
            "git init -q; git add .; git -c user.name=a -c user.email=a@example.com -c commit.gpgsign=false commit -qm a",
        ])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .current_dir(tree.root.join("srv/app"))
        .status()
        .unwrap();
    assert!(made.success());
    let said = tree.succeed("scan.sh", &[]);
    assert!(said.contains("unchanged from the pinned commit "), "{said}");
    tree.write(
        "srv/app/lib/settings.php",
        &code.replace("c0ffee", "c0ffef"),
    );
    assert_eq!(tree.failures("scan.sh", &[]).len(), 1);
}

#[test]
fn a_fetched_secret_is_found_wherever_it_got_to() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        let fetched = tree.root.parent().unwrap().join("fetched here");
        fs_err::create_dir(&fetched).unwrap();
        fs_err::write(
            fetched.join("database-password"),
            "correct [horse] battery\n\n",
        )
        .unwrap();
        fs_err::write(fetched.join("short"), "abc\n").unwrap();
        let argument = fetched.to_str().unwrap().to_owned();
        tree.write("etc/app/harmless.conf", "abc\nanything\n\n");
        tree.succeed("scan.sh", &[&argument]);

        tree.write("var/lib/my app/cache.bin", "….correct [horse] battery….");
        let failures = tree.failures("scan.sh", &[&argument]);
        assert_eq!(
            failures,
            [
                "FAIL secrets: /var/lib/my app/cache.bin: holds the secret that was fetched as database-password"
            ],
            "{shell:?}"
        );
        assert!(!fetched.join(".search").exists());

        // Of what came as a secret every line counts: a command may have been given it without any file.
        let values = tree.root.parent().unwrap().join("scan");
        fs_err::create_dir(&values).unwrap();
        fs_err::write(
            values.join("ssm__shop_two"),
            "a long first line\n-----BEGIN\nk3y!\n\n",
        )
        .unwrap();
        fs_err::remove_file(tree.root.join("var/lib/my app/cache.bin")).unwrap();
        tree.write("etc/app/notes", "-----BEGIN\n\n");
        let both = [argument.as_str(), values.to_str().unwrap()];
        tree.succeed("scan.sh", &both);
        tree.write("etc/app/settings", "x=k3y!;");
        assert_eq!(
            tree.failures("scan.sh", &both),
            ["FAIL secrets: /etc/app/settings: holds the secret that was fetched as ssm__shop_two"],
            "{shell:?}"
        );
    }
}

#[test]
fn the_refusal_of_a_secret_says_how_to_allow_a_file_and_the_page_shows_it() {
    let page = fs_err::read_to_string("docs/library.md").unwrap();
    let example = page
        .split("```yaml\n")
        .find(|text| text.starts_with("recipe: 1\n"));
    let example = example.unwrap().split("```").next().unwrap();
    let world = World::empty();
    world.write("recipes/shop-image.yaml", example);
    world.succeed(["recipe", "check"]);
    let lines = example.split("content: |\n").nth(1).unwrap();

    let tree = Tree::bare(shells()[0]);
    tree.write("etc/machine-id", "");
    let key = "opt/goldseed/app/shop/modules/pay/sample.key";
    tree.write(key, "-----BEGIN PRIVATE KEY-----\n");
    tree.write("opt/shop/.installed", "");
    let complaint = String::from_utf8(tree.run("scan.sh", &[]).stderr).unwrap();
    let way_out = "write the line \"allow PATH\" to a file in /opt/goldseed/generalise.d";
    assert!(complaint.contains(way_out), "{complaint}");

    tree.write("opt/goldseed/generalise.d/shop", lines);
    tree.succeed("scan.sh", &[]);
    tree.succeed("generalise.sh", &[]);
    tree.succeed("assert.sh", &[]);
    assert!(tree.is_there(key) && !tree.is_there("opt/shop/.installed"));
}
