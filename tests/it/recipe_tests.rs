//! Every recipe of the library passes its own test, on real machines of the local AWS.

use std::process::Command;
use std::sync::Mutex;

use goldseed::recipe::Library;

/// So many machines at once: each does what a small instance does.
const SIDE_BY_SIDE: usize = 2;

#[test]
fn every_recipe_of_the_library_passes_its_test_twice() {
    let library = Library::new(None);
    let names = library.names();
    let without_a_test: Vec<&String> = names
        .iter()
        .filter(|name| library.load_test(name).is_none())
        .collect();
    assert!(
        without_a_test.is_empty(),
        "no test lies beside {without_a_test:?}"
    );

    let waiting = Mutex::new(names);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().pop();
                    let Some(name) = next else { break };
                    if let Err(why) = test(&name) {
                        failed.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Runs `goldseed recipe test` in a project of its own; returns all that it printed where it failed.
fn test(name: &str) -> Result<(), String> {
    let project = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_goldseed"))
        .args(["recipe", "test", name])
        .current_dir(&project)
        // The engine finds its own programs by the path.
        .env_clear()
        .env("PATH", env!("PATH"))
        .env("HOME", project.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let wanted = format!("{name}: ");
    if output.status.success()
        && printed.starts_with(&wanted)
        && printed.contains("none the second time")
    {
        return Ok(());
    }
    Err(format!(
        "{name}: {}\n{printed}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}
