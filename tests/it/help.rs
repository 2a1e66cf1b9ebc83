//! Every page of `--help` is as it is recorded in `fixtures/help`, so that a change of the
//! interface is seen in review. `UPDATE_HELP=1 cargo test --test it -- help::` records them again.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use crate::project::Project;
use crate::taskcat::Taskcat;

#[test]
fn pages_are_as_recorded() {
    let project = Project::empty("help");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/help");
    let mut pages = Vec::new();
    collect_pages(&project, Vec::new(), &mut pages);
    assert!(pages.len() > 15, "only {} pages were found", pages.len());
    let name = |command: &[String]| {
        format!(
            "{}.txt",
            [&["taskcat".to_owned()], command].concat().join("-")
        )
    };
    if env::var_os("UPDATE_HELP").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        pages
            .iter()
            .for_each(|(command, page)| fs::write(folder.join(name(command)), page).unwrap());
    }
    for (command, page) in &pages {
        let recorded = fs::read_to_string(folder.join(name(command))).unwrap_or_default();
        assert_eq!(
            *page,
            recorded,
            "`{}` differs: see this file's head",
            name(command)
        );
    }
    let recorded = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let recorded: BTreeSet<String> = recorded.collect();
    assert_eq!(
        recorded,
        pages.iter().map(|(command, _)| name(command)).collect(),
        "a page without a command"
    );
}

/// The page of a command, and those of its subcommands.
fn collect_pages(project: &Project, command: Vec<String>, pages: &mut Vec<(Vec<String>, String)>) {
    let outcome = Taskcat::offline(project)
        .args(command.iter().map(String::as_str))
        .args(["--help"])
        .env("COLUMNS", "100")
        .run();
    outcome.assert_code(0);
    let page = outcome.stdout.clone();
    for subcommand in subcommands(&page) {
        collect_pages(project, [command.clone(), vec![subcommand]].concat(), pages);
    }
    pages.push((command, page));
}

fn subcommands(page: &str) -> Vec<String> {
    let listed = page
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let names = listed
        .filter(|line| !line.starts_with("     "))
        .filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}
