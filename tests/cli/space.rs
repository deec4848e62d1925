//! No space left: ingest stops cleanly, says so, and loses nothing.

use super::ingest::mixed;
use super::logs::{flow_key, flows};
use super::place::{Place, assert_balanced, counts};
use std::path::Path;
use std::process::Command;

#[test]
fn below_the_reserve_nothing_is_acknowledged_and_nothing_is_lost() {
    let place = Place::with("[index]\nmin-free-bytes = 1000000000000000\n");
    mixed(&place);
    let refused = place.run(&["ingest", "logs", "--json"]).expect(5);
    assert!(refused.err.contains("full") && refused.err.contains("free"), "{}", refused.err);
    assert_eq!(counts(&refused.json_lines()[0], ["objects", "indexed"]), [0, 0]);
    assert_eq!((place.records().len(), place.count("*")), (0, 0));

    place.configure("");
    let totals = place.ingest();
    assert_balanced(&totals);
    assert_eq!(counts(&totals, ["objects", "indexed", "duplicates"]), [6, 16, 0]);
    assert_eq!((place.count("*"), place.archived().len()), (16, 16));
}

/// A small file system in memory; gone when dropped.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(at: &'a Path, size: &str) -> Result<Self, String> {
        std::fs::create_dir_all(at).unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", at.to_str().unwrap()])?;
        Ok(Small(at))
    }

    fn grow(&self, size: &str) {
        run("mount", &["-o", &format!("remount,size={size}"), self.0.to_str().unwrap()]).unwrap();
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = run("umount", &[self.0.to_str().unwrap()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

#[test]
fn a_disk_that_is_really_full_stops_ingest_and_loses_nothing() {
    let place = Place::with("[index]\nmin-free-bytes = 0\n");
    let data = place.path("data");
    let small = match Small::mount(&data, "6m") {
        Ok(small) => small,
        Err(reason) => {
            println!("skipped: a small file system cannot be mounted here ({reason})");
            return;
        }
    };
    for file in 0..8 {
        place.log(&flow_key(&format!("part{file}")), flows(file * 10_000..(file + 1) * 10_000));
    }
    let refused = place.run(&["ingest", "logs", "--json"]).expect(5);
    assert!(refused.err.contains("free space"), "{}", refused.err);

    small.grow("400m");
    let totals = place.ingest();
    assert_balanced(&totals);
    assert_eq!(counts(&totals, ["objects", "indexed"]), [8, 80_000]);
    assert_eq!((place.count("*"), place.archived().len()), (80_000, 80_000));
}
