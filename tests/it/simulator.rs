//! `taskcat simulator` as any AWS client sees it: boto3 for what AWS promises, bare sockets for
//! what no client sends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::servers::boto3;

/// The server as a process; it ends with the test.
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

    /// One that may open few files, and so serves few connections at once.
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

    /// Sends bytes and reads until the server closes; nothing where it only closes.
    fn send(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may have answered and closed before all is sent.
        let _ = stream.write_all(request);
        read(&mut stream)
    }

    /// A request that closes its connection, signed for a service.
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
        let said = self.signed(
            "sts",
            "POST /",
            "Action=GetCallerIdentity&Version=2011-06-15",
        );
        assert!(said.contains("<Account>123456789012</Account>"), "{said}");
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
fn s3_is_s3_to_boto3() {
    Simulator::start(&[]).passes("simulator_s3.py");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn sts_ec2_ssm_and_secrets_manager_are_so_to_boto3() {
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

/// Runs a program against a simulator with that scenario.
fn passes_with_scenario(program: &str) {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("scenario.yml");
    std::fs::write(&scenario, CLOUDFORMATION).unwrap();
    let scenario = scenario.to_str().unwrap();
    Simulator::start(&["--speed", "100", "--scenario", scenario]).passes(program);
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn cloudformation_is_so_to_boto3() {
    passes_with_scenario("simulator_cloudformation.py");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn change_sets_are_so_to_boto3() {
    passes_with_scenario("simulator_change_sets.py");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn calls_beside_stacks_are_so_to_boto3() {
    passes_with_scenario("simulator_calls.py");
}

/// Answers that AWS was recorded to give: see `fixtures/recorded`.
fn gives_recorded(table: &str) {
    let simulator = Simulator::start(&["--speed", "inf"]);
    assert_eq!(
        boto3(&simulator.endpoint(), "simulator_recorded.py", &[table]),
        "passed"
    );
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn recorded_refusals_are_given() {
    gives_recorded("refusals");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn recorded_refusals_of_templates_are_given() {
    gives_recorded("templates");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn recorded_failures_are_given() {
    gives_recorded("failures");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn recorded_shapes_are_given() {
    gives_recorded("shapes");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn recorded_identities_are_given() {
    gives_recorded("identities");
}

#[test]
#[ignore = "needs boto3; run tests/run.sh"]
fn stacks_resources_are_seen_by_their_services() {
    gives_recorded("services");
}

/// What is no template, too large a one, or one made to take all time and memory, is refused, and
/// others are served.
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
        let said = create("hostile", body);
        assert!(
            said.starts_with("HTTP/1.1 400 ") && said.contains("<Code>ValidationError</Code>"),
            "{said}"
        );
        assert!(said.contains(expect), "{expect}: {said}");
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
    // One that nests itself comes to an end.
    let own = "Resources:\n  Again:\n    Type: AWS::CloudFormation::Stack\n    Properties: \
        {TemplateURL: 'https://own.s3.amazonaws.com/t'}\n";
    simulator.signed("s3", "PUT /own", "");
    simulator.signed("s3", "PUT /own/t", own);
    assert!(create("own", own).starts_with("HTTP/1.1 200 "));
    let form = "Action=DescribeStacks&Version=2010-05-15&StackName=own";
    let said = simulator.signed("cloudformation", "POST /", form);
    assert!(
        said.contains("<StackStatus>ROLLBACK_COMPLETE</StackStatus>"),
        "{said}"
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
fn faults_are_met_by_boto3() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faults.yml");
    std::fs::write(&file, FAULTS).unwrap();
    Simulator::start(&["--speed", "1", "--scenario", file.to_str().unwrap()])
        .passes("simulator_faults.py");
}

#[test]
fn a_scenario_that_is_wrong_is_refused() {
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
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in [
        "`calls[0].fault` is `thorttle`",
        "faults.yml:2:24",
        "the scenario has no key `resource`",
        "faults.yml:3:1",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn it_ends_with_a_signal() {
    for signal in ["-INT", "-TERM"] {
        let simulator = Simulator::start(&[]);
        simulator.still_answers();
        // One that says nothing doesn't keep it.
        let _idle = simulator.connect();
        assert_eq!(simulator.end(signal), Some(0), "{signal}");
    }
}

#[test]
fn a_port_that_is_taken_is_said() {
    let simulator = Simulator::start(&[]);
    let port = simulator.address.port().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_taskcat"))
        .args(["simulator", "--port", &port])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains(&format!("can't listen on 127.0.0.1:{port}: ")),
        "{said}"
    );
}

/// What no client sends is answered in order, or the connection is closed; others don't notice.
#[test]
fn rubbish_is_refused() {
    let simulator = Simulator::start(&[]);
    let check = |said: String, parts: &[&str]| {
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in {said:?}");
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

/// A page in a browser can't reach it: neither under a name of its own that resolves to this
/// machine, nor by requests that it sends to localhost.
#[test]
fn pages_are_refused() {
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
            let said = ask(line, headers);
            assert!(
                said.starts_with("HTTP/1.1 403 "),
                "{line} {headers}: {said}"
            );
            assert!(!said.to_lowercase().contains("access-control-"), "{said}");
        }
    }
    let stacks = "GET /?Action=DescribeStacks&Version=2010-05-15";
    for headers in [
        "Host: localhost\r\n",
        "Host: 127.0.0.1:4566\r\n",
        "Host: [::1]:4566\r\n",
        "Host: [::1]\r\nOrigin: http://localhost:3000\r\n",
    ] {
        let said = ask(stacks, headers);
        assert!(
            said.starts_with("HTTP/1.1 200 ") && !said.contains("of-a-page"),
            "{headers}: {said}"
        );
        assert!(!said.to_lowercase().contains("access-control-"), "{said}");
    }
}

#[test]
fn bodies_are_bounded_and_may_break_off() {
    let simulator = Simulator::start(&[]);
    let head = |service: &str, length: u64| {
        format!(
            "PUT /some-bucket/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \
             {length}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=a/20261020/us-east-1/{service}/aws4_request, SignedHeaders=host, \
             Signature=b\r\n\r\n"
        )
    };
    // What is too large is refused before it is sent.
    let said = simulator.send(head("cloudformation", 17 * 1024 * 1024).as_bytes());
    assert!(
        said.contains("HTTP/1.1 413") && said.contains("RequestEntityTooLarge"),
        "{said}"
    );
    let said = simulator.send(head("s3", 2 * 1024 * 1024 * 1024).as_bytes());
    assert!(
        said.contains("HTTP/1.1 400") && said.contains("<Code>EntityTooLarge</Code>"),
        "{said}"
    );
    // A form of 6 MB, which holds a template of 2 MB, comes in.
    let template = format!(
        "Action=X&Version=2010-05-15&TemplateBody={}",
        "%41".repeat(2 * 1024 * 1024)
    );
    let said = simulator.signed("cloudformation", "POST /", &template);
    assert!(said.contains("<ErrorResponse"), "{said}");
    // A client that goes away in the middle of a body, or of its head, leaves nothing behind.
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
    let said = simulator.signed("s3", "GET /some-bucket/k", "");
    assert!(said.contains("<Code>NoSuchBucket</Code>"), "{said}");
}

/// Clients that send a byte now and then, or don't take their answers, keep nobody out though they
/// take all seats.
#[test]
fn slow_clients_keep_nobody_out() {
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
        // One more byte from each that is still let.
        for stream in &mut slow {
            let _ = stream.write_all(b"T");
        }
        if round > 10 {
            // They have to have waited for a while before they make room.
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

/// Every one of 10,000 connections that are open at once is answered, told to come back, or closed.
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
