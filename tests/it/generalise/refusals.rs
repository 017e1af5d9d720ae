//! What would stop the next boot, lose data, or do nothing is refused.

use std::os::unix::fs::symlink;

use super::tree::{Tree, shells};

#[test]
fn what_would_stop_the_next_boot_or_lose_data_is_refused() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        tree.write("etc/machine-id", "");
        tree.write(
            "etc/fstab",
            "/dev/xvda1 / ext4 defaults 0 1\n# fs-1:/ /old efs defaults 0 0\nfs-1:/ /mnt/efs efs tls 0 0\n\
             s3fs#bucket /mnt/s3 fuse allow_other 0 0\nhost:/x /mnt/nfs nfs4 _netdev,nofail 0 0\n",
        );
        tree.write(
            "mnt/efs/upload.jpg",
            "written while the share was not mounted",
        );
        tree.succeed("generalise.sh", &[]);
        assert!(
            tree.is_there("mnt/efs/upload.jpg"),
            "the only copy of a file is not removed"
        );
        let failures = tree.failures("assert.sh", &[]).join("\n");
        for needed in [
            "FAIL mount-points: /mnt/efs has files of its own",
            "FAIL fstab: /mnt/efs: the option _netdev is missing",
            "FAIL fstab: /mnt/efs: the option nofail is missing",
            "FAIL fstab: /mnt/s3: the option nofail is missing",
            "FAIL fstab: a device by its name",
        ] {
            assert!(
                failures.contains(needed),
                "{shell:?}: {needed} is not in\n{failures}"
            );
        }
        assert!(!failures.contains("/mnt/nfs:"), "{failures}");

        fs_err::remove_file(tree.root.join("etc/machine-id")).unwrap();
        let failures = tree.failures("assert.sh", &[]).join("\n");
        assert!(
            failures.contains("FAIL machine-id: /etc/machine-id is missing"),
            "{failures}"
        );
    }
}

#[test]
fn a_unit_that_no_machine_could_start_is_refused_by_its_name() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        tree.write("etc/machine-id", "");
        let unit = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";
        for name in [
            "nginx.service",
            "php8.2-fpm.service",
            "crond.service",
            "amazon-ssm-agent.service",
            "cloud-init-local.service",
            "app.service",
            "cfn-hup.service",
        ] {
            tree.write(&format!("usr/lib/systemd/system/{name}"), unit);
        }
        tree.write(
            "usr/lib/systemd/system-preset/90-vendor.preset",
            "enable crond.service\nenable nginx.service\nenable app.service\ndisable *\n",
        );
        let units = tree.root.join("etc/systemd/system");
        fs_err::create_dir_all(units.join("multi-user.target.wants")).unwrap();
        symlink(
            "/usr/lib/systemd/system/crond.service",
            units.join("multi-user.target.wants/crond.service"),
        )
        .unwrap();
        // Of what is not installed (any more) a mask is left by Debian; what is not needed is nobody's business.
        symlink("/dev/null", units.join("cron.service")).unwrap();
        symlink("/dev/null", units.join("app.service")).unwrap();
        tree.succeed("assert.sh", &[]);

        symlink("/dev/null", units.join("nginx.service")).unwrap();
        symlink("/dev/null", units.join("cloud-init-local.service")).unwrap();
        symlink("/dev/null", units.join("cfn-hup.service")).unwrap();
        tree.write("etc/systemd/system/php8.2-fpm.service", "");
        fs_err::remove_file(units.join("multi-user.target.wants/crond.service")).unwrap();
        let named = |kind: &[&str]| -> Vec<String> {
            let failures = tree.failures("assert.sh", kind);
            let names = failures.iter().map(|line| {
                let line = line.strip_prefix("FAIL units: ").unwrap();
                let (name, rest) = line.split_once(' ').unwrap();
                let wanted = rest.contains(&format!("`allow {name}`"));
                assert!(wanted || name.starts_with('/'), "{line}");
                [name, rest.split(',').next().unwrap()].join(" ")
            });
            names.collect()
        };
        let baked = [
            "nginx.service is masked",
            "php8.2-fpm.service is masked",
            "cloud-init-local.service is masked",
            "crond.service is disabled",
        ];
        let found = named(&[]);
        assert!(found[0].starts_with("/etc/systemd/system/cfn-hup.service is there"));
        assert_eq!(found[1..], baked, "{shell:?}");
        // A mask of Beanstalk's own is undone, the others are whoever's wish it was.
        tree.succeed("generalise.sh", &[]);
        assert_eq!(named(&[]), baked, "{shell:?}");
        assert_eq!(named(&["proof"]), baked, "{shell:?}");
        let allowed = baked.map(|line| format!("allow {}\n", line.split(' ').next().unwrap()));
        // As a recipe's file without a line break at its end.
        let allowed = allowed.concat();
        tree.write("opt/goldseed/generalise.d/own", allowed.trim_end());
        tree.succeed("assert.sh", &[]);
        tree.succeed("assert.sh", &["proof"]);
    }
}

#[test]
fn a_line_of_ones_own_that_would_do_nothing_is_refused() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        tree.write("etc/machine-id", "");
        tree.write("opt/shop/made by hand", "x\n");
        tree.write(
            "opt/goldseed/generalise.d/shop",
            "# Of the shop.\n\nallow nginx.service\nremove /opt/shop/made by hand",
        );
        tree.succeed("generalise.sh", &[]);
        assert!(!tree.is_there("opt/shop/made by hand"), "{shell:?}");
        tree.succeed("assert.sh", &[]);

        let typed = "alow /opt/a\nremove opt/b\nremove /c\nallow\n";
        tree.write("opt/goldseed/generalise.d/typed", typed);
        let failures = tree.failures("assert.sh", &[]);
        let named = typed.lines().map(|line| {
            let shown = if line == "allow" { "allow " } else { line };
            format!("FAIL own: /opt/goldseed/generalise.d/typed: what is `{shown}`?")
        });
        for (failure, named) in failures.iter().zip(named) {
            assert!(failure.starts_with(&named), "{shell:?}: {failure}");
        }
        assert_eq!(failures.len(), 4, "{shell:?}: {failures:?}");
    }
}
