//! Starts without threads: the system refuses every thread from the N-th on.
//!
//! A preloaded library refuses them, because the limit of processes does not bind every user.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Bench, Run, ledger, skip};

const BY_NAME: &[&str] = &["--max-attempts", "1", "--endpoint", "BY NAME"];

/// Refuses every thread after the first `THREADS`.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
static int started;
int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    if (__sync_fetch_and_add(&started, 1) >= atoi(getenv("THREADS"))) return EAGAIN;
    return real(t, a, f, arg);
}
"#;

/// The library in this folder; `None` if it cannot be built here.
fn library(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("threads.c"), folder.join("threads.so"));
    std::fs::write(&source, LIBRARY).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-w", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let is_built = cfg!(target_os = "linux") && cc.status().is_ok_and(|status| status.success());
    is_built.then_some(library)
}

/// Runs the command of `command` with at most this number of threads besides the first.
fn run_with(bench: &Bench, mut command: Command, library: &Path, threads: usize) -> Run {
    command.env("LD_PRELOAD", library).env("THREADS", threads.to_string());
    let run = bench.start_command(command).wait();
    assert!(!run.stderr.contains("panicked"), "with {threads} threads:\n{}", run.stderr);
    run
}

#[test]
fn each_refused_thread_of_a_run_is_an_error_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = library(folder.path()) else { return skip("no C compiler for a preloaded library") };
    for arguments in [&[][..], &["--partition-by", "call_date"], &["--sandbox"], BY_NAME] {
        let complete = (0..40).find(|threads| {
            let bench = Bench::new(&ledger(3));
            // A name instead of an address needs one more thread.
            let by_name = format!("http://localhost:{}", bench.provider.port());
            let arguments: Vec<&str> =
                arguments.iter().map(|word| if *word == "BY NAME" { &by_name } else { *word }).collect();
            let run = run_with(&bench, bench.command(&arguments), &library, *threads);
            if run.code == Some(0) {
                return true;
            }
            let sent = bench.provider.seen();
            let run = run.exits(6).says("cannot start another thread").says("ulimit -u");
            assert!(sent == 0 || !run.stderr.contains("Nothing was sent"), "{sent} sent:\n{}", run.stderr);
            // Nothing is lost: the same command asks only for what has no answer.
            // Calls that could not be looked up have failed for the resumed run, and only for it.
            if bench.run(&arguments).code == Some(4) {
                bench.run(&arguments).exits(0);
            }
            assert!(bench.provider.seen() <= 3, "{} requests", bench.provider.seen());
            false
        });
        assert!(complete.is_some_and(|threads| threads >= 5), "{complete:?}");
    }
}

#[test]
fn texts_errors_and_questions_need_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = library(folder.path()) else { return skip("no C compiler for a preloaded library") };
    let bench = Bench::new(&ledger(3));
    bench.run(&[]).exits(0);
    for (words, code) in [
        (&["--version"][..], 0),
        (&["--help"], 0),
        (&["help", "plan"], 0),
        (&["completions", "bash"], 0),
        (&["man"], 0),
        (&["config"], 0),
        (&["verify-cap", "--store", "reconcile.db"], 0),
        (&["explain", "116014888060^102816313060", "--store", "reconcile.db"], 0),
        (&["--no-such-option"], 2),
        (&["whoami"], 2),
    ] {
        let mut command = bench.command(&[]);
        let folder = command.get_current_dir().unwrap().to_owned();
        command = Command::new(command.get_program());
        command.args(words).current_dir(folder).env_clear().env("HOME", bench.path("home"));
        command.env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
        let run = run_with(&bench, command, &library, 0);
        assert_eq!(run.code, Some(code), "{words:?}:\n{}", run.stderr);
    }
}
