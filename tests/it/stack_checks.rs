//! The checks of a test once its stack is complete: http, tcp, output, resource, drift, command.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

/// A server on the loopback interface that answers every request in the same way, after answering
/// some with status 503.
struct Web {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Web {
    fn start(unavailable: usize, status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                // A connection without a request is that of a tcp check.
                if lines.by_ref().take_while(|line| !line.is_empty()).count() == 0 {
                    continue;
                }
                let status = match count.fetch_add(1, Ordering::SeqCst) {
                    number if number < unavailable => "503 Service Unavailable",
                    _ => status,
                };
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
                let _ = write!(&stream, "{head}Connection: close\r\n\r\n{body}");
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/health", self.address)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// The project of the guide, with this server instead of its application.
fn guide(web: &Web) -> Project {
    let project = Project::copy_of("checks");
    let address = web.address.to_string();
    project.replace(".taskcat.yml", "127.0.0.1:8080", &address);
    project
}

/// A project with a queue, a parameter and these checks.
fn project(checks: &str) -> Project {
    let project = Project::copy_of("checks");
    project.write(
        ".taskcat.yml",
        &format!(
            "project: {{name: checks, regions: [us-east-1]}}\ntests:\n  queue:\n    template: \
             queue.yaml\n    parameters: {{HealthUrl: http://example.com}}\n    checks:\n{checks}"
        ),
    );
    project
}

fn local(project: &Project) -> Taskcat {
    Taskcat::bare(project)
        .env("PATH", "/usr/bin:/bin")
        .args(["test", "run", "--local", "-l"])
}

/// `name result` of every check of a cell of `report.json`.
fn results(outcome: &Outcome, region: &str) -> Vec<String> {
    let cell = outcome.cell("queue", region);
    let checks = cell["checks"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let result = |it: &Value| format!("{} {}", text(&it["name"]), text(&it["result"]));
    checks.iter().map(result).collect()
}

#[test]
fn a_stack_with_what_its_checks_expect_passes() {
    let web = Web::start(1, "200 OK", "{\"status\": \"ok\"}");
    let project = guide(&web);
    let outcome = local(&project).run();
    outcome.assert_code(0);
    for region in ["us-east-1", "eu-west-1"] {
        let expect = [
            "http ${HealthUrl} passed".to_owned(),
            format!("tcp {} passed", web.address),
            "output QueueUrl passed".to_owned(),
            "messages are hidden for a minute passed".to_owned(),
            "drift passed".to_owned(),
            "command ./smoke-test.sh passed".to_owned(),
        ];
        assert_eq!(results(&outcome, region), expect);
    }
    // The first attempt in one of the regions met a server that wasn't ready.
    assert_eq!(web.requests(), 3);
    let junit = outcome.output("junit.xml");
    assert!(
        junit.contains("name=\"eu-west-1: http ${HealthUrl}\""),
        "{junit}"
    );
    assert_eq!(junit.matches("<testcase ").count(), 14, "{junit}");
    let page = outcome.output("index.html");
    assert!(page.contains("messages are hidden for a minute"));
    // Checks precede the deletion.
    let events = outcome.events();
    let position = |name: &str| events.iter().rposition(|it| it["event"] == name).unwrap();
    let last_check = events
        .iter()
        .rposition(|it| it["event"] == "check_finished");
    assert!(last_check.unwrap() < position("stack_deleted"));
}

#[test]
fn a_failed_check_fails_its_test_with_its_line_and_what_was_found() {
    let web = Web::start(0, "404 Not Found", "nothing\nhere");
    let project = project(&format!(
        "      - http: {{url: \"{url}\"}}\n        timeout: 300ms\n        interval: 100ms\n      - \
         http: {{url: \"{url}\", status: 404, body: something}}\n        timeout: 100ms\n      - \
         tcp: {{address: \"127.0.0.1:1\"}}\n        timeout: 100ms\n      - output: {{key: \
         QueueUrl, matches: \"^http:\"}}\n      - resource: {{logical_id: Queue, property: \
         VisibilityTimeout, equals: 30}}\n      - resource: {{logical_id: Queue, identifier: \
         other}}\n      - command: \"echo to stdout; echo wrong >&2; exit 3\"\n      - command: \
         [./no-such-program]\n",
        url = web.url()
    ));
    let outcome = local(&project).run();
    outcome.assert_code(1);
    assert_eq!(outcome.states(), ["queue/us-east-1 failed"]);
    let cell = outcome.cell("queue", "us-east-1");
    let url = web.url();
    let reasons: Vec<&str> = cell["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["reason"].as_str().unwrap())
        .collect();
    assert!(
        reasons[0].starts_with(&format!("{url}: expected status 200, found status 404 (")),
        "{reasons:#?}"
    );
    let body = format!("{url}: expected a body that matches `something`, found `nothing here`");
    assert_eq!(reasons[1], body);
    assert_eq!(
        reasons[2],
        "cannot connect to 127.0.0.1:1: Connection refused"
    );
    assert!(
        reasons[3].starts_with("output QueueUrl: expected a match of `^http:`, found `https://sqs"),
        "{reasons:#?}"
    );
    assert_eq!(
        reasons[4],
        "Queue.VisibilityTimeout: expected `30`, found `60`"
    );
    assert_eq!(
        reasons[5],
        "Queue (AWS::SQS::Queue): expected a resource, found no resource `other`"
    );
    assert_eq!(
        reasons[6],
        "`echo to stdout; echo wrong >&2; exit 3` exited with code 3:\n  wrong"
    );
    assert_eq!(reasons[7], "cannot run `./no-such-program`: no such file");
    assert_eq!(cell["checks"][4]["expected"], "`30`");
    assert_eq!(cell["checks"][4]["found"], "`60`");
    assert_eq!(cell["checks"][4]["line"], 15);

    let cause = &cell["root_cause"];
    assert_eq!(cause["kind"], "check");
    assert_eq!(cause["source"]["template"], ".taskcat.yml");
    assert_eq!(cause["source"]["line"], 7);
    outcome.assert_says("set at .taskcat.yml:7");
    outcome.assert_says("expected status 200, found status 404");
    let junit = outcome.output("junit.xml");
    assert!(junit.contains("set at .taskcat.yml:15"), "{junit}");
    assert_eq!(junit.matches("<failure ").count(), 9, "{junit}");
    let page = outcome.output("index.html");
    assert!(page.contains(".taskcat.yml:15"));
    // The stack was deleted nevertheless.
    assert_eq!(cell["teardown"]["state"], "deleted");
}

#[test]
fn addresses_that_exist_only_in_the_simulation_are_not_asked() {
    let project = project(
        "      - http: {url: \"${HealthUrl}/x\"}\n      - tcp: {address: \"db.internal:5432\"}\n",
    );
    let outcome = local(&project).run();
    outcome.assert_code(0);
    let expect = [
        "http ${HealthUrl}/x not_checked",
        "tcp db.internal:5432 not_checked",
    ];
    assert_eq!(results(&outcome, "us-east-1"), expect);
    outcome.assert_says("not checked locally: example.com exists only in the simulation");
    let junit = outcome.output("junit.xml");
    assert_eq!(junit.matches("<skipped ").count(), 2, "{junit}");
    assert!(outcome.output("index.html").contains("not checked"));
}

#[test]
fn a_program_is_killed_with_its_children_and_shows_no_secret() {
    let project = project(
        "      - command: \"echo $TASKCAT_OUTPUT_Secret; sleep 97 & echo $! >child; wait\"\n        \
         timeout: 500ms\n",
    );
    project.replace(
        ".taskcat.yml",
        "http://example.com}",
        "http://x, Password: Qu4xQu4x-long}",
    );
    project.replace(
        "queue.yaml",
        "Outputs:\n",
        "Outputs:\n  Secret: {Value: !Ref Password}\n",
    );
    project.replace(
        "queue.yaml",
        "Resources:\n",
        "  Password: {Type: String, NoEcho: true}\nResources:\n",
    );
    let outcome = local(&project).run();
    outcome.assert_code(1);
    outcome.assert_says("was killed after 0.5 s");
    let child = project.read("child").trim().to_owned();
    let started = std::time::Instant::now();
    let is_alive = || {
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    };
    while is_alive() {
        assert!(
            started.elapsed() < std::time::Duration::from_secs(10),
            "{child} still runs"
        );
        thread::sleep(std::time::Duration::from_millis(20));
    }
    for (name, text) in outcome.outputs() {
        assert!(!text.contains("Qu4xQu4x"), "{name}");
    }
    outcome.assert_silent_about("Qu4xQu4x");
}

#[test]
fn drift_is_found() {
    let server = Server::take(Kind::Simulator);
    let change = "curl -sf \"$AWS_ENDPOINT_URL\" -H 'x-amz-target: AmazonSSM.PutParameter' -H \
                  'authorization: AWS4-HMAC-SHA256 \
                  Credential=testing/20261020/us-east-1/ssm/aws4_request, SignedHeaders=host, \
                  Signature=b' -d '{\\\"Name\\\": \\\"/checks/setting\\\", \\\"Value\\\": \
                  \\\"other\\\", \\\"Overwrite\\\": true}'";
    let project = project(&format!(
        "      - drift: none\n      - command: \"{}\"\n      - drift: none\n        name: after a \
         change\n",
        change.replace("\"$AWS_ENDPOINT_URL\"", "$AWS_ENDPOINT_URL")
    ));
    let outcome = Taskcat::test_run(&project, &server).args(["-l"]).run();
    outcome.assert_code(1);
    let cell = outcome.cell("queue", "us-east-1");
    let expect = ["drift passed", "command", "after a change failed"];
    let found = results(&outcome, "us-east-1");
    assert!(
        found
            .iter()
            .zip(expect)
            .all(|(found, expect)| found.starts_with(expect)),
        "{cell:#}"
    );
    assert_eq!(
        cell["checks"][2]["reason"],
        "the stack: expected no drift, found Setting MODIFIED (/Value: expected original, found \
         other)"
    );
}

#[test]
fn a_call_that_is_denied_or_unknown_fails_its_check() {
    let server = Server::take(Kind::Simulator);
    let faults = [
        "DetectStackDrift=403:AccessDenied",
        "GetResource=400:UnsupportedActionException",
    ];
    let proxy = Proxy::with_faults(&server, &faults);
    let project = project("      - drift: none\n      - resource: {logical_id: Queue}\n");
    let run = Taskcat::test_run_at(&project, Kind::Simulator, &proxy.endpoint());
    let outcome = run.args(["-l"]).run();
    outcome.assert_code(1);
    assert_eq!(
        results(&outcome, "us-east-1"),
        ["drift failed", "resource Queue failed"]
    );
    outcome.assert_says("DetectStackDrift");
    let cell = outcome.cell("queue", "us-east-1");
    let reason = cell["checks"][1]["reason"].as_str().unwrap();
    assert!(reason.contains("UnsupportedActionException"), "{reason}");
}

/// Checks run before posthooks; a run that is killed in between says that it couldn't finish them.
#[test]
fn checks_precede_posthooks() {
    let project = project(
        "      - command: \"test ! -e hooked && touch checked\"\n    posthooks:\n      - type: \
         script\n        config: {command: \"test -e checked && touch hooked\"}\n",
    );
    local(&project).run().assert_code(0);
    assert!(project.path().join("hooked").exists());
}

#[test]
fn wrong_checks_are_found_by_plan() {
    let project = project("      - http: {url: \"${Nowhere}\"}\n      - output: {key: QueueUrl}\n");
    let outcome = Taskcat::offline(&project).args(["plan"]).run();
    assert_ne!(outcome.code, Some(0));
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains(".taskcat.yml:7"), "{said}");
    assert!(
        said.contains("queue.yaml has no output `Nowhere`"),
        "{said}"
    );
    assert!(said.contains("the check has no `matches`"), "{said}");
}
