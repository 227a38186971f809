//! docker-compose.yml and the files its images are built from, as they are written: what the tests start is what an
//! operator starts.

// Each test file uses its part of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Once;

use serde_json::Value;

use crate::clients::{project, run};

/// docker-compose.yml, with what it says twice put in place.
pub struct Compose(pub Value);

impl Compose {
    /// # Panics
    /// An independent reader finds it wrong: a key that there is none of, a network that nobody has declared.
    pub fn read() -> Compose {
        let reader = "import sys, compose_spec\n\
                      read = compose_spec.PyOptions(apply_merge=True).from_yaml(open(sys.argv[1]).read())\n\
                      read.validate()\n\
                      print(read.to_json())";
        let printed = run(&[&tool("python"), "-c", reader, "docker-compose.yml"], &[], &project());
        Compose(serde_json::from_str(&printed).expect("JSON"))
    }

    pub fn services(&self) -> impl Iterator<Item = (&str, &Value)> {
        let services = self.0["services"].as_object().expect("there are services");
        services.iter().map(|(name, service)| (name.as_str(), service))
    }

    pub fn service(&self, name: &str) -> &Value {
        let service = &self.0["services"][name];
        assert!(service.is_object(), "there is no service {name}");
        service
    }

    /// The words a service is started with, behind its entry point.
    pub fn command(&self, name: &str) -> Vec<String> {
        match &self.service(name)["command"] {
            Value::Null => self.image(name).words("CMD"),
            words => texts(words),
        }
    }

    /// The variables a service is started with, those of its image among them.
    pub fn environment(&self, name: &str) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        if self.service(name)["build"].is_object() {
            for (_, arguments) in self.image(name).last_stage().filter(|(instruction, _)| instruction == "ENV") {
                let pairs = arguments.split_whitespace().map(|pair| pair.split_once('=').expect("a value"));
                variables.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
            }
        }
        for (name, value) in self.service(name)["environment"].as_object().into_iter().flatten() {
            variables.insert(name.clone(), text(value));
        }
        variables
    }

    /// What the image of a service is built by.
    pub fn image(&self, name: &str) -> Containerfile {
        Containerfile::read(self.service(name)["build"]["dockerfile"].as_str().expect("it is built here"))
    }
}

/// The instructions of a Containerfile, each with its arguments in one line.
pub struct Containerfile(pub Vec<(String, String)>);

impl Containerfile {
    pub fn read(path: &str) -> Containerfile {
        let text = std::fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let text = lines.join("\n").replace("\\\n", " ");
        let instruction = |line: &str| {
            let (instruction, arguments) = line.split_once(' ').expect("an instruction has arguments");
            let words: Vec<&str> = arguments.split_whitespace().collect();
            (instruction.to_owned(), words.join(" "))
        };
        Containerfile(text.lines().filter(|line| !line.trim().is_empty()).map(instruction).collect())
    }

    /// What the image itself is made of: the instructions from the last FROM on.
    pub fn last_stage(&self) -> impl Iterator<Item = &(String, String)> {
        let start = self.0.iter().rposition(|(instruction, _)| instruction == "FROM").expect("an image has a base");
        self.0[start..].iter()
    }

    /// The arguments of the last such instruction of the image.
    pub fn last(&self, wanted: &str) -> &str {
        let found = self.last_stage().filter(|(instruction, _)| instruction == wanted).last();
        &found.unwrap_or_else(|| panic!("the image has no {wanted}")).1
    }

    /// The words of the last such instruction of the image, which are written as a list.
    pub fn words(&self, wanted: &str) -> Vec<String> {
        let arguments = self.last(wanted);
        let list = &arguments[arguments.find('[').unwrap_or_else(|| panic!("{wanted} is no list"))..];
        texts(&serde_json::from_str(list).expect("a list of texts"))
    }
}

pub fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(text).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One of the programs of `tests/deploy/requirements.txt`.
pub fn tool(name: &str) -> String {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        run(&["tests/deploy/install"], &[], &project());
    });
    project().join("target/deploy/venv/bin").join(name).display().to_string()
}
