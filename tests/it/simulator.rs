//! Tests `taskcat simulator` with boto3, and with plain sockets for requests that no client sends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::servers::boto3;

/// A server process, which ends with the test.
pub struct Simulator {
    child: Child,
    address: SocketAddr,
}

impl Simulator {
    pub fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskcat"));
        command.arg("simulator").args(args);
        Self::spawn(command)
    }

    /// Starts a server that may open only a few files, and so serves few connections at once.
    fn with_few_seats() -> Self {
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "ulimit -n 96; exec \"$0\" simulator",
            env!("CARGO_BIN_EXE_taskcat"),
        ]);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let printed: Vec<String> = lines.by_ref().take(5).map(Result::unwrap).collect();
        let endpoint = printed[0]
            .strip_prefix("export AWS_ENDPOINT_URL=http://")
            .unwrap();
        let expect = [
            "export AWS_ACCESS_KEY_ID=123456789012",
            "export AWS_SECRET_ACCESS_KEY=simulated",
            "export AWS_REGION=us-east-1",
            "export AWS_DEFAULT_REGION=us-east-1",
        ];
        assert_eq!(printed[1..], expect);
        Self {
            address: endpoint.parse().unwrap(),
            child,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn passes(&self, program: &str) {
        assert_eq!(boto3(&self.endpoint(), program, &[]), "passed");
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(30)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
    }

    /// Sends bytes and returns what the server sends until it closes the connection.
    fn send(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may have answered and closed before all is sent.
        let _ = stream.write_all(request);
        read(&mut stream)
    }

    /// Sends a request signed for a service, and closes the connection.
    fn signed(&self, service: &str, head: &str, body: &str) -> String {
        let length = body.len();
        self.send(
            format!(
                "{head} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: \
                 {length}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nAuthorization: \
                 AWS4-HMAC-SHA256 \
                 Credential=a/20261020/us-east-1/{service}/aws4_request, SignedHeaders=host, \
                 Signature=b\r\n\r\n{body}"
            )
            .as_bytes(),
        )
    }

    fn still_answers(&self) {
        let started = Instant::now();
        let response = self.signed(
            "sts",
            "POST /",
            "Action=GetCallerIdentity&Version=2011-06-15",
        );
        assert!(
            response.contains("<Account>123456789012</Account>"),
            "{response}"
        );
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            started.elapsed()
        );
    }

    fn end(mut self, signal: &str) -> Option<i32> {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn boto3_uses_s3() {
    Simulator::start(&[]).passes("simulator_s3.py");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn boto3_uses_sts_ec2_ssm_and_secrets_manager() {
    Simulator::start(&[]).passes("simulator_services.py");
}

const CLOUDFORMATION: &str = r#"
resources:
  - {logical_id: Doomed, fails: Resource limit exceeded}
  - {logical_id: Slow, takes: 600s}
  - {logical_id: Stubborn, phase: delete, fails: It is in use., until: {attempts: 2}}
  - {logical_id: Clinging, phase: rollback, fails: Cannot be put back., until: {attempts: 2}}
hidden: [{kind: stack, name: shy, for: 100s}]
calls:
  - {service: cloudformation, action: CreateStack, regions: [ap-south-1], fault: throttle, times: 2}
  - {service: cloudformation, action: DescribeStacks, regions: [ap-south-1], fault: throttle, every: 2}
"#;

/// Runs a program against a simulator with the given scenario.
fn passes_with_scenario(program: &str) {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("scenario.yml");
    std::fs::write(&scenario, CLOUDFORMATION).unwrap();
    let scenario = scenario.to_str().unwrap();
    Simulator::start(&["--speed", "100", "--scenario", scenario]).passes(program);
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn boto3_uses_cloudformation() {
    passes_with_scenario("simulator_cloudformation.py");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn boto3_uses_change_sets() {
    passes_with_scenario("simulator_change_sets.py");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn boto3_uses_calls_unrelated_to_stacks() {
    passes_with_scenario("simulator_calls.py");
}

/// Compares the simulator with recordings of AWS; see `fixtures/recorded`.
fn check_recorded(table: &str) {
    let simulator = Simulator::start(&["--speed", "inf"]);
    assert_eq!(
        boto3(&simulator.endpoint(), "simulator_recorded.py", &[table]),
        "passed"
    );
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn errors_match_recordings() {
    check_recorded("refusals");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn template_errors_match_recordings() {
    check_recorded("templates");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn failure_reasons_match_recordings() {
    check_recorded("failures");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn response_shapes_match_recordings() {
    check_recorded("shapes");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn physical_ids_match_recordings() {
    check_recorded("identities");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn services_list_the_resources_of_stacks() {
    check_recorded("services");
}

/// Invalid and oversized templates are refused, and so are those that would take all time and
/// memory; the server keeps running.
#[test]
fn hostile_templates_are_refused() {
    let simulator = Simulator::start(&["--speed", "inf"]);
    let create = |name: &str, body: &str| {
        let body: String = form_urlencoded::byte_serialize(body.as_bytes()).collect();
        let form =
            format!("Action=CreateStack&Version=2010-05-15&StackName={name}&TemplateBody={body}");
        simulator.signed("cloudformation", "POST /", &form)
    };
    let check = |body: &str, expect: &str| {
        let started = Instant::now();
        let response = create("hostile", body);
        assert!(
            response.starts_with("HTTP/1.1 400 ")
                && response.contains("<Code>ValidationError</Code>"),
            "{response}"
        );
        assert!(response.contains(expect), "{expect}: {response}");
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{expect}: {:?}",
            started.elapsed()
        );
    };
    let too_long = "Member must have length less than or equal to 51200";
    check(&"x".repeat(2_000_000), too_long);
    check("", "Member must have length greater than or equal to 1");
    check("<CreateStack/>", "Template format error");
    check(&"[".repeat(50_000), "Template format error");
    check(
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "Template error: YAML aliases are not allowed",
    );
    let queues = |count: usize| {
        (0..count)
            .map(|n| format!("  Q{n}: {{Type: 'AWS::SQS::Queue'}}\n"))
            .collect::<String>()
    };
    check(
        &format!("Resources:\n{}", queues(501)),
        "Number of resources, 501, is greater than maximum allowed, 500",
    );
    let circle = "Resources:\n  A: {Type: 'AWS::SQS::Queue', DependsOn: B}\n  B: {Type: \
        'AWS::SQS::Queue', DependsOn: A}\n";
    check(circle, "Circular dependency between resources: [A, B]");
    let doubled = (1..40)
        .map(|n| format!("  M{n}: !Sub ['${{A}}${{A}}', {{A: !Ref P}}]\n"))
        .collect::<String>();
    check(&format!("Metadata:\n{doubled}Resources: {{}}\n"), "");
    let form = "Action=DescribeStacks&Version=2010-05-15&StackName=hostile";
    assert!(
        simulator
            .signed("cloudformation", "POST /", form)
            .contains("Stack with id hostile does not exist")
    );
    // A template that nests itself doesn't nest endlessly.
    let own = "Resources:\n  Again:\n    Type: AWS::CloudFormation::Stack\n    Properties: \
        {TemplateURL: 'https://own.s3.amazonaws.com/t'}\n";
    simulator.signed("s3", "PUT /own", "");
    simulator.signed("s3", "PUT /own/t", own);
    assert!(create("own", own).starts_with("HTTP/1.1 200 "));
    let form = "Action=DescribeStacks&Version=2010-05-15&StackName=own";
    let response = simulator.signed("cloudformation", "POST /", form);
    assert!(
        response.contains("<StackStatus>ROLLBACK_COMPLETE</StackStatus>"),
        "{response}"
    );
    simulator.still_answers();
}

const FAULTS: &str = r#"
calls:
  - {service: sts, action: GetCallerIdentity, fault: throttle, times: 2, regions: [us-east-1]}
  - {service: s3, action: ListBuckets, fault: throttle, times: 1}
  - {service: ec2, action: "Describe*", fault: deny, regions: [us-*]}
  - {service: s3, action: CreateBucket, name: "forbidden-*", fault: deny, message: Not here.}
  - {service: secretsmanager, fault: error, code: KMSInvalidStateException, message: Why not., status: 400}
  - {service: ssm, name: /cut, fault: cut}
  - {service: ssm, name: /hang, fault: hang, for: 5s}
  - {service: ssm, name: /slow, fault: delay, for: 500ms}
  - {service: s3, action: CreateBucket, name: lost-cut, fault: cut, phase: after}
  - {service: s3, action: CreateBucket, name: lost-error, fault: error, code: InternalError, phase: after}
  - {service: cloudformation, action: CreateStack, name: lost-hang, fault: hang, for: 5s, phase: after}
  - {service: ssm, action: PutParameter, name: /late, fault: delay, for: 1s}
disabled_regions: [me-south-1]
hidden:
  - {kind: bucket, name: "late-*", for: 3s}
"#;

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn boto3_gets_injected_faults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faults.yml");
    std::fs::write(&file, FAULTS).unwrap();
    Simulator::start(&["--speed", "1", "--scenario", file.to_str().unwrap()])
        .passes("simulator_faults.py");
}

#[test]
fn an_invalid_scenario_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faults.yml");
    std::fs::write(
        &file,
        "calls:\n- {service: s3, fault: thorttle}\nresource: []\n",
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_taskcat"))
        .arg("simulator")
        .arg("--scenario")
        .arg(&file)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for part in [
        "`calls[0].fault` is `thorttle`",
        "faults.yml:2:24",
        "the scenario has no key `resource`",
        "faults.yml:3:1",
    ] {
        assert!(stderr.contains(part), "{part}\n{stderr}");
    }
}

#[test]
fn signals_end_the_server() {
    for signal in ["-INT", "-TERM"] {
        let simulator = Simulator::start(&[]);
        simulator.still_answers();
        // An idle connection doesn't keep the server running.
        let _idle = simulator.connect();
        assert_eq!(simulator.end(signal), Some(0), "{signal}");
    }
}

#[test]
fn an_occupied_port_is_reported() {
    let simulator = Simulator::start(&[]);
    let port = simulator.address.port().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_taskcat"))
        .args(["simulator", "--port", &port])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains(&format!("cannot listen on 127.0.0.1:{port}: ")),
        "{stderr}"
    );
}

/// Malformed requests get a proper response, or the connection is closed; other clients aren't
/// affected.
#[test]
fn malformed_requests_are_refused() {
    let simulator = Simulator::start(&[]);
    let check = |response: String, parts: &[&str]| {
        for part in parts {
            assert!(response.contains(part), "{part:?} is not in {response:?}");
        }
        simulator.still_answers();
    };
    check(
        simulator.send(b"\x16\x03\x01\x02\x00\x01\x00"),
        &["HTTP/1.1 400"],
    );
    check(simulator.send(b"GET\r\n\r\n"), &["HTTP/1.1 400"]);
    check(
        simulator.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        &[
            "403",
            "<Code>AccessDenied</Code>",
            "x-taskcat-simulated: true",
        ],
    );
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(1024 * 1024)
    );
    check(simulator.send(huge.as_bytes()), &[]);
    let many = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X: y\r\n".repeat(5000)
    );
    check(simulator.send(many.as_bytes()), &["HTTP/1.1 431"]);

    // Bad XML, bad JSON, bad forms.
    let bucket = |body| simulator.signed("s3", "PUT /some-bucket", body);
    check(
        bucket("<CreateBucketConfiguration"),
        &[
            "HTTP/1.1 400",
            "<Code>MalformedXML</Code>",
            "x-amz-request-id",
        ],
    );
    check(
        bucket("\u{1}\u{2}"),
        &["HTTP/1.1 400", "<Code>MalformedXML</Code>"],
    );
    let deep = "<a>".repeat(100_000);
    check(bucket(&deep), &["HTTP/1.1 400"]);
    check(
        simulator.signed("ssm", "POST /", "{\"Name\": "),
        &[
            "HTTP/1.1 400",
            "SerializationException",
            "application/x-amz-json-1.1",
        ],
    );
    check(
        simulator.signed("ssm", "POST /", &"[".repeat(100_000)),
        &["SerializationException"],
    );
    check(
        simulator.signed("ssm", "POST /", "{}"),
        &["UnknownOperationException"],
    );
    check(
        simulator.signed("cloudformation", "POST /", "%%%&=&&\u{0}"),
        &["<Code>MissingAction</Code>", "x-amzn-requestid"],
    );
    check(
        simulator.signed("ec2", "POST /", "Action=RunInstances&Version=2016-11-15"),
        &["<Response><Errors><Error><Code>InvalidAction</Code>"],
    );
    check(
        simulator.signed(
            "sts",
            "POST /",
            "Action=GetCallerIdentity&Version=2000-01-01",
        ),
        &["Could not find operation GetCallerIdentity for version 2000-01-01"],
    );
    check(
        simulator.signed("lambda", "GET /2015-03-31/functions", ""),
        &[
            "HTTP/1.1 400",
            "the service `lambda` is not available in the simulator",
        ],
    );
    check(
        simulator.send(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic abc\r\nConnection: \
                close\r\nContent-Length: 0\r\n\r\n",
        ),
        &[
            "HTTP/1.1 400",
            "<Code>IncompleteSignature</Code>",
            "Unsupported authorization type \
            'Basic'.",
        ],
    );
    check(
        simulator.send(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: \
            application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ),
        &["HTTP/1.1 403", "<Code>MissingAuthenticationToken</Code>"],
    );
}

/// A web page can't use the simulator: neither under a host name that resolves to this machine, nor
/// by requests to localhost.
#[test]
fn requests_from_web_pages_are_refused() {
    let simulator = Simulator::start(&[]);
    let create = "GET /?Action=CreateStack&Version=2010-05-15&StackName=of-a-page&TemplateBody=%7B%22Resources%22%3A%7B%22Q%22%3A\
                  %7B%22Type%22%3A%22AWS%3A%3ASQS%3A%3AQueue%22%7D%7D%7D";
    let ask = |line: &str, headers: &str| {
        let signature = "Authorization: AWS4-HMAC-SHA256 \
            Credential=a/20261020/us-east-1/cloudformation/aws4_request, \
                         SignedHeaders=host, Signature=b";
        simulator.send(
            format!("{line} HTTP/1.1\r\nConnection: close\r\n{signature}\r\n{headers}\r\n")
                .as_bytes(),
        )
    };
    for headers in [
        "Host: evil.example\r\n",
        "Host: localhost.evil.example\r\n",
        "Host: 127.0.0.1.evil.example:80\r\n",
        "Host: bucket.s3.us-east-1.amazonaws.com\r\n",
        "Host: \r\n",
        "",
        "Host: localhost\r\nOrigin: https://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
        "Host: 127.0.0.1\r\nOrigin: http://127.0.0.1.evil.example\r\n",
        "Host: localhost\r\nReferer: https://evil.example/\r\n",
        "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
    ] {
        for line in [create, "GET /bucket/key", "OPTIONS /bucket/key"] {
            let response = ask(line, headers);
            assert!(
                response.starts_with("HTTP/1.1 403 "),
                "{line} {headers}: {response}"
            );
            assert!(
                !response.to_lowercase().contains("access-control-"),
                "{response}"
            );
        }
    }
    let stacks = "GET /?Action=DescribeStacks&Version=2010-05-15";
    for headers in [
        "Host: localhost\r\n",
        "Host: 127.0.0.1:4566\r\n",
        "Host: [::1]:4566\r\n",
        "Host: [::1]\r\nOrigin: http://localhost:3000\r\n",
    ] {
        let response = ask(stacks, headers);
        assert!(
            response.starts_with("HTTP/1.1 200 ") && !response.contains("of-a-page"),
            "{headers}: {response}"
        );
        assert!(
            !response.to_lowercase().contains("access-control-"),
            "{response}"
        );
    }
}

#[test]
fn bodies_are_limited_and_may_be_truncated() {
    let simulator = Simulator::start(&[]);
    let head = |service: &str, length: u64| {
        format!(
            "PUT /some-bucket/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \
             {length}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=a/20261020/us-east-1/{service}/aws4_request, SignedHeaders=host, \
             Signature=b\r\n\r\n"
        )
    };
    // A body that is too large is refused before it is sent.
    let response = simulator.send(head("cloudformation", 17 * 1024 * 1024).as_bytes());
    assert!(
        response.contains("HTTP/1.1 413") && response.contains("RequestEntityTooLarge"),
        "{response}"
    );
    let response = simulator.send(head("s3", 2 * 1024 * 1024 * 1024).as_bytes());
    assert!(
        response.contains("HTTP/1.1 400") && response.contains("<Code>EntityTooLarge</Code>"),
        "{response}"
    );
    // A form of 6 MB, which contains a template of 2 MB, is accepted.
    let template = format!(
        "Action=X&Version=2010-05-15&TemplateBody={}",
        "%41".repeat(2 * 1024 * 1024)
    );
    let response = simulator.signed("cloudformation", "POST /", &template);
    assert!(response.contains("<ErrorResponse"), "{response}");
    // Clients may disconnect in the middle of a header or of a body.
    for _ in 0..50 {
        for request in [
            head("s3", 1000).as_str(),
            &(head("s3", 1000) + "half"),
            "PUT /some-bucket/k HTTP/1.1\r\nHo",
        ] {
            let mut stream = simulator.connect();
            stream.write_all(request.as_bytes()).unwrap();
        }
    }
    simulator.still_answers();
    let response = simulator.signed("s3", "GET /some-bucket/k", "");
    assert!(response.contains("<Code>NoSuchBucket</Code>"), "{response}");
}

/// Clients that send a byte now and then, or don't read their responses, don't lock others out, even
/// if they hold all connections.
#[test]
fn slow_clients_do_not_block_others() {
    let simulator = Simulator::with_few_seats();
    let put = |length: usize| {
        format!(
            "PUT /slow-bucket/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: \
             {length}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=a/20261020/us-east-1/s3/aws4_request, SignedHeaders=host, \
             Signature=b\r\n\r\n"
        )
    };
    simulator.signed("s3", "PUT /slow-bucket", "");
    let large = 8 * 1024 * 1024;
    let mut stream = simulator.connect();
    stream.write_all(put(large).as_bytes()).unwrap();
    stream.write_all(&vec![0; large]).unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    drop(stream);
    let get = put(0).replace("PUT", "GET");
    let mut slow = Vec::new();
    for round in 0..25 {
        for request in [put(100_000), "GET / HT".to_owned(), get.clone()] {
            let mut stream = simulator.connect();
            stream.write_all(request.as_bytes()).unwrap();
            slow.push(stream);
        }
        // Send one more byte on each connection that is still open.
        for stream in &mut slow {
            let _ = stream.write_all(b"T");
        }
        if round > 10 {
            // Connections are only closed for others after they were idle for a while.
            thread::sleep(Duration::from_millis(300));
            let started = Instant::now();
            simulator.still_answers();
            assert!(
                started.elapsed() < Duration::from_secs(2),
                "{:?}",
                started.elapsed()
            );
        }
    }
}

/// Each of 10,000 simultaneous connections gets a response or a 503, or is closed.
#[test]
fn ten_thousand_connections_are_served_in_order() {
    const THREADS: usize = 50;
    const EACH: usize = 200;
    let simulator = Simulator::start(&[]);
    let (answered, busy, closed) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut open = Vec::new();
                for _ in 0..EACH {
                    let Ok(mut stream) =
                        TcpStream::connect_timeout(&simulator.address, Duration::from_secs(60))
                    else {
                        closed.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    stream
                        .set_read_timeout(Some(Duration::from_secs(60)))
                        .unwrap();
                    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
                    let mut first = [0; 12];
                    match stream.read_exact(&mut first) {
                        Ok(()) if first == *b"HTTP/1.1 503" => busy.fetch_add(1, Ordering::Relaxed),
                        Ok(()) if first == *b"HTTP/1.1 403" => {
                            answered.fetch_add(1, Ordering::Relaxed)
                        }
                        Ok(()) => panic!("{}", String::from_utf8_lossy(&first)),
                        Err(_) => closed.fetch_add(1, Ordering::Relaxed),
                    };
                    open.push(stream);
                }
            });
        }
    });
    let counts = [
        answered.into_inner(),
        busy.into_inner(),
        closed.into_inner(),
    ];
    assert_eq!(counts.iter().sum::<usize>(), THREADS * EACH, "{counts:?}");
    assert!(
        counts[0] > 100 && counts[2] < 100,
        "answered, told to come back, closed: {counts:?}"
    );
    simulator.still_answers();
}
