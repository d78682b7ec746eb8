//! Pages in a browser: headless Chromium, driven by a Node script. Without npm or Chromium the
//! tests fail in CI, and elsewhere they are skipped with a message.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{skip, venv};

/// A page to open, and what to do with it.
#[derive(Debug, Clone, Serialize)]
pub struct Task {
    pub file: PathBuf,
    /// Pixels.
    pub width: u32,
    pub dark: bool,
    /// Whether the page may run its script.
    pub script: bool,
    /// JavaScript that runs in the opened page, one after the other; each returns a value.
    pub steps: Vec<String>,
    /// Runs axe-core, and html-validate on the file.
    pub axe: bool,
    pub validate: bool,
    /// Where to put a picture of the first screen, and a PDF on A4.
    pub shot: Option<PathBuf>,
    pub print: Option<PathBuf>,
}

/// A page as the browser opened it.
#[derive(Debug, Deserialize)]
pub struct Opened {
    /// Messages on the page's console, and its errors.
    pub console: Vec<String>,
    /// Addresses of everything that the page asked for besides itself.
    pub requests: Vec<String>,
    /// What the steps returned.
    pub steps: Vec<Value>,
    /// Whether the page is wider than the window.
    pub overflows: bool,
    #[serde(default)]
    pub axe: Vec<String>,
    #[serde(default)]
    pub validate: Vec<String>,
}

impl Task {
    /// A page on a wide light screen.
    pub fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            width: 1_280,
            dark: false,
            script: true,
            steps: Vec::new(),
            axe: false,
            validate: false,
            shot: None,
            print: None,
        }
    }

    /// With one more step.
    pub fn step(mut self, step: &str) -> Self {
        self.steps.push(step.to_owned());
        self
    }
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        skip("there is no Chromium on this machine");
    }
    found
}

/// Opens each page in a new context of one browser. `None` without a browser.
pub fn open(tasks: &[Task]) -> Option<Vec<Opened>> {
    let browser = chromium()?;
    let mut command = venv::node_with_browser()?;
    let home = tempfile::TempDir::new().unwrap();
    command.arg(browser).arg(serde_json::to_string(tasks).unwrap()).env("HOME", home.path());
    let printed = venv::output(&mut command, "the pages open in a browser");
    Some(serde_json::from_str(&printed).unwrap())
}

/// Asserts that the page has written nothing to the console and has asked for nothing.
#[track_caller]
pub fn assert_sound(opened: &Opened) {
    assert_eq!(opened.console, Vec::<String>::new());
    assert_eq!(opened.requests, Vec::<String>::new(), "the page loaded something");
}
