//! The sandbox's replies, judged by botocore's models, and the sandbox under the AWS CLI.
//!
//! Also the recipes, judged by their JSON Schema. All need a Python environment, which `scripts/test` makes.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Output;

use goldseed::sandbox::{Options, Sandbox};

/// `scripts/test` makes this environment.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/python/bin")
        .join(name);
    assert!(
        path.exists(),
        "{} is not there: run scripts/test, which makes it",
        path.display()
    );
    path
}

async fn run(name: &str, endpoint: &str, arguments: &[&str]) -> Output {
    let output = tokio::process::Command::new(program(name))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_MAX_ATTEMPTS", "1")
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{name} {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reply_is_as_the_models_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Options::simulated(folder.path()))
        .await
        .unwrap();
    let endpoint = sandbox.endpoint();
    let replies = folder.path().join("replies");
    let replies = replies.to_str().unwrap();
    let record = ["tests/conformance/record.py", &endpoint, replies];
    run("python3", &endpoint, &record).await;
    run(
        "python3",
        &endpoint,
        &["tests/conformance/check.py", replies],
    )
    .await;
}

/// The YAML files below a folder that are recipes, those of their own files left out.
fn recipes(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let path = format!("{folder}/{}", entry.unwrap().file_name().display());
        if Path::new(&path)
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            found.push(path);
        } else if Path::new(&path).is_dir() && !path.ends_with("/files") {
            found.extend(recipes(&path));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn editors_are_told_of_bad_recipes_and_not_of_good_ones() {
    let committed = fs_err::read_to_string("docs/recipe.schema.json").unwrap();
    assert_eq!(
        committed,
        goldseed::recipe::schema(),
        "goldseed recipe schema >docs/recipe.schema.json"
    );
    let mut words = vec![
        "tests/conformance/schema.py".to_owned(),
        "docs/recipe.schema.json".to_owned(),
    ];
    words.extend(recipes("recipes"));
    words.extend(recipes("tests/recipes/valid"));
    words.push("--".to_owned());
    // What is no YAML, or no text, no schema can judge.
    let judged = |path: &String| !path.contains("/yaml-") && !path.contains("/not-utf-8");
    words.extend(recipes("tests/recipes/invalid").into_iter().filter(judged));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = run("python3", "http://127.0.0.1:9", &words).await;
    let said = String::from_utf8(output.stdout).unwrap();
    let caught = said
        .split(", ")
        .nth(1)
        .and_then(|text| text.split(' ').next());
    let caught: usize = caught.unwrap().parse().unwrap();
    assert!(caught >= 15, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_makes_its_main_calls() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Options::simulated(folder.path()))
        .await
        .unwrap();
    let endpoint = sandbox.endpoint();
    for (call, wanted) in [
        ("sts get-caller-identity", "123456789012"),
        ("ec2 describe-images --owners amazon", "ami-"),
        ("ec2 describe-subnets", "eu-central-1a"),
        (
            "ssm put-parameter --name /a --value b --type String",
            "\"Version\": 1",
        ),
        ("ssm get-parameter --name /a", "\"Value\": \"b\""),
        (
            "elasticbeanstalk create-application --application-name shop",
            "\"ApplicationName\": \"shop\"",
        ),
        (
            "elasticbeanstalk create-environment --application-name shop --environment-name shop-prod",
            "\"Status\": \"Launching\"",
        ),
        ("elasticbeanstalk describe-environments", "shop-prod"),
        (
            "elasticbeanstalk describe-events",
            "createEnvironment is starting.",
        ),
    ] {
        let arguments: Vec<&str> = call.split(' ').collect();
        let output = run("aws", &endpoint, &arguments).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(wanted), "{call}: {text}");
    }
}
