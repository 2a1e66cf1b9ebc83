//! Finds why a test failed: the event that failed first and wasn't caused by another failure.
//!
//! A failed resource causes other failures: CloudFormation cancels its siblings, fails the stack
//! and all stacks that contain it, and rolls back. All of these say `FAILED`; only the first says
//! why. `model` determines it once per cell, and every report shows the same result.

use super::cause::{CauseKind, RootCause};
use super::hint;
use super::model::{CellReport, CellState, check_name, hook_name, nested_stack_id};
use super::source::TemplateLocation;
use crate::event::{HookStage, ParameterBinding, StackEvent};
use crate::status::{ResourceStatus, StackStatus};

/// Returns the root cause of a cell that failed, or that was failing when it was stopped; `None`
/// for others.
pub fn of_cell(cell: &CellReport) -> Option<RootCause> {
    let cause = found(cell)?;
    if cause.kind == CauseKind::Check {
        return Some(cause);
    }
    let path: Vec<&str> = cause.path.iter().map(String::as_str).collect();
    let template = &cell.template;
    let given = &cell.parameters;
    let origin = match cause.kind {
        CauseKind::Hook => None,
        CauseKind::Resource | CauseKind::Stack if !path.is_empty() => {
            cell.sources.origin(template, given, &path)
        }
        _ => cell.sources.named_in(template, given, &cause.reason),
    };
    let places = || {
        cell.places
            .iter()
            .filter(|place| cause.reason.contains(&place.message))
    };
    let located = places().next();
    let hint = match (cause.kind, places().find_map(|place| place.hint.clone())) {
        (CauseKind::Hook, _) => None,
        (_, Some(hint)) => Some(hint),
        (CauseKind::Resource, None) if hint::is_of_parameter(&cause.reason) => {
            of_nested_parameter(cell, &path, &cause.reason)
        }
        _ => hint::of(&cause.reason),
    };
    let (source, parameters) =
        origin.map_or((None, Vec::new()), |it| (Some(it.place), it.parameters));
    let (source, parameters) = match located {
        Some(place) => {
            let is_template = cell.sources.template_at(&place.file).is_some();
            let place = TemplateLocation {
                template: place.file.clone(),
                line: place.line,
            };
            (
                Some(place),
                if is_template { parameters } else { Vec::new() },
            )
        }
        None => (source, parameters),
    };
    Some(RootCause {
        source,
        parameters,
        hint,
        ..cause
    })
}

/// Returns the hint for a nested stack's parameter, which depends on how its parent passes the
/// value.
fn of_nested_parameter(cell: &CellReport, path: &[&str], reason: &str) -> Option<String> {
    let Some((source, resource)) = cell.sources.resource(&cell.template, path) else {
        return hint::of(reason);
    };
    if resource.template.is_none() && resource.gives.is_empty() {
        return hint::of(reason);
    }
    let given = resource
        .gives
        .iter()
        .find(|(key, _)| reason.contains(key.as_str()));
    let template = &source.template;
    let line = resource.line;
    let id = path.last()?;
    if reason.contains("do not exist in the template") {
        let (key, _) = given?;
        return Some(format!(
            "declare {key} in the nested template, or remove it from what {id} is given \
             ({template}:{line})"
        ));
    }
    Some(match given {
        Some((key, ParameterBinding::Ref(outer))) if path.len() == 1 => {
            format!(
                "{id} gets {key} from the parameter {outer}: set that in `.taskcat.yml`, under \
                 `parameters` of the test"
            )
        }
        Some((key, ParameterBinding::Value(_))) => {
            format!("change the value that {id} is given for {key} ({template}:{line})")
        }
        Some((key, _)) => format!("change what {id} is given for {key} ({template}:{line})"),
        None => format!("give {id} a value for it under its `Parameters` ({template}:{line})"),
    })
}

fn found(cell: &CellReport) -> Option<RootCause> {
    if cell.state == CellState::Passed {
        return None;
    }
    let found = of_launch(cell)
        .or_else(|| of_hook(cell, HookStage::Prehooks))
        .or_else(|| of_stack(cell))
        .or_else(|| of_check(cell))
        .or_else(|| of_hook(cell, HookStage::Posthooks));
    if found.is_some() || cell.state != CellState::Failed {
        return found;
    }
    // The last status of a stack in progress tells only what started it.
    let on_its_way = cell
        .stack_status
        .as_ref()
        .is_some_and(StackStatus::is_in_progress);
    let of_stack = cell.stack_status_reason.as_ref().filter(|_| !on_its_way);
    let reason = of_stack.or(cell.reason.as_ref());
    let status = cell.stack_status.as_ref().map(ResourceStatus::from);
    let reason = reason.map_or("no reason was given", String::as_str);
    Some(RootCause::new(
        CauseKind::Unknown,
        vec![],
        None,
        status,
        reason,
    ))
}

/// Returns every event that failed by itself, the root cause first.
pub fn own_failures(cell: &CellReport) -> Vec<&StackEvent> {
    let mut ranked: Vec<(Rank, &StackEvent)> = cell
        .events
        .iter()
        .filter_map(|event| Some((rank(cell, event)?, event)))
        .collect();
    let Some(best) = ranked.iter().map(|(rank, _)| *rank).min() else {
        return Vec::new();
    };
    ranked.retain(|(rank, _)| *rank == best);
    // At the same time, deeper stacks come first: their parents fail because of them.
    ranked.sort_by_key(|(_, event)| (event.timestamp, std::cmp::Reverse(event.depth)));
    ranked.into_iter().map(|(_, event)| event).collect()
}

/// How likely a failure is the first one, most likely first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Failed by itself, with a reason.
    Own,
    /// Failed without a reason.
    Silent,
    /// A nested stack that failed for an unknown reason; its message at least names a resource.
    Nested,
    /// Failed because of another failure.
    Cascade,
    /// Failed to roll back.
    Rollback,
}

fn rank(cell: &CellReport, event: &StackEvent) -> Option<Rank> {
    let reason = event.reason.as_deref().map(str::trim).unwrap_or_default();
    // A stack that is rolled back may never have had a status with FAILED.
    let status = &event.status;
    let is_rolled_back = event.is_of_stack()
        && status.is_rollback()
        && status.is_in_progress()
        && !reason.is_empty();
    if !status.is_failed() && !is_rolled_back {
        return None;
    }
    if status.is_deletion() || (status.is_rollback() && status.is_failed()) {
        return Some(Rank::Rollback);
    }
    if is_cascade(reason) || fails_with_its_stack(cell, event) {
        return Some(Rank::Cascade);
    }
    if reason.starts_with("Embedded stack ") && reason.contains(" was not successfully ") {
        return Some(Rank::Nested);
    }
    Some(if reason.is_empty() {
        Rank::Silent
    } else {
        Rank::Own
    })
}

/// Returns whether a reason means that something else failed.
fn is_cascade(reason: &str) -> bool {
    const BEGINNINGS: [&str; 6] = [
        // Which of them, and why, is said by the event of the check, if it is known.
        "The following hook(s)",
        "Resource creation cancelled",
        "Resource update cancelled",
        "The following resource(s) failed to ",
        "Rollback requested by user",
        "[The following resource(s) failed to ",
    ];
    BEGINNINGS
        .iter()
        .any(|beginning| reason.starts_with(beginning))
}

/// Returns whether the resource is a nested stack whose own events say what failed.
fn fails_with_its_stack(cell: &CellReport, event: &StackEvent) -> bool {
    nested_stack_id(event).is_some_and(|nested| {
        cell.events
            .iter()
            .any(|inner| inner.stack_id == nested && inner.status.is_failed())
    })
}

fn of_stack(cell: &CellReport) -> Option<RootCause> {
    // A resource may fail and be created again; a stack that was created has no root cause.
    if cell
        .stack_status
        .as_ref()
        .is_some_and(StackStatus::is_deployed)
    {
        return None;
    }
    let event = *own_failures(cell).first()?;
    let mut path: Vec<String> = cell
        .path_of(&event.stack_id)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let kind = if event.is_of_stack() {
        CauseKind::Stack
    } else {
        CauseKind::Resource
    };
    if kind == CauseKind::Resource {
        path.push(event.logical_id.clone());
    }
    let reason = event
        .reason
        .as_deref()
        .map(str::trim)
        .filter(|reason| !reason.is_empty());
    let reason = reason.unwrap_or("CloudFormation gave no reason");
    let kind_of = Some(event.resource_type.clone()).filter(|_| kind == CauseKind::Resource);
    let cause = RootCause::new(kind, path, kind_of, Some(event.status.clone()), reason);
    Some(RootCause {
        event_id: Some(event.event_id.clone()),
        at: Some(event.timestamp),
        ..cause
    })
}

fn of_launch(cell: &CellReport) -> Option<RootCause> {
    let reason = cell.launch_error.as_deref()?;
    Some(RootCause::new(
        CauseKind::Launch,
        vec![],
        None,
        None,
        reason,
    ))
}

fn of_hook(cell: &CellReport, stage: HookStage) -> Option<RootCause> {
    let failed = cell
        .hooks
        .iter()
        .find(|it| it.hook.stage == stage && it.error.is_some())?;
    let reason = failed.error.as_deref()?;
    Some(RootCause {
        at: failed.finished_at,
        ..RootCause::new(
            CauseKind::Hook,
            vec![hook_name(&failed.hook)],
            None,
            None,
            reason,
        )
    })
}

/// Returns the first check that failed, with its place in the configuration.
fn of_check(cell: &CellReport) -> Option<RootCause> {
    let failed = cell.checks.iter().find(|it| it.has_failed())?;
    let check = &failed.check;
    let source = TemplateLocation {
        template: check.file.clone(),
        line: check.line,
    };
    let path = vec![check_name(check)];
    Some(RootCause {
        at: failed.finished_at,
        source: Some(source).filter(|it| !it.template.is_empty()),
        ..RootCause::new(CauseKind::Check, path, None, None, failed.reason()?)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use jiff::Timestamp;

    use super::*;
    use crate::event::{CellId, EventKind, Hook, Outcome, RunEvent};
    use crate::report::RunReport;

    const ROOT: &str = "arn:aws:cloudformation:us-east-1:1:stack/root/1";

    /// Parses one event per line: `stack | logical id | type | status | reason [| physical id]`.
    /// `stack` is the nested stack's path, `.` the test's own; a line without logical ID is about
    /// the stack itself. A line's number is its second.
    fn events(lines: &str) -> Vec<EventKind> {
        let stack_id = |path: &str| {
            if path == "." {
                ROOT.to_owned()
            } else {
                format!("{ROOT}-{path}")
            }
        };
        let event = |(second, line): (usize, &str)| {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let path = fields[0];
            let logical = fields[1];
            let stack = stack_id(path);
            let inner = if path == "." {
                logical.to_owned()
            } else {
                format!("{path}/{logical}")
            };
            let (logical, physical, kind) = match (logical, fields[2]) {
                ("", _) => ("stack", Some(stack.clone()), "AWS::CloudFormation::Stack"),
                (_, "Stack") => (
                    logical,
                    Some(stack_id(&inner)),
                    "AWS::CloudFormation::Stack",
                ),
                (_, kind) => (logical, None, kind),
            };
            let detail = StackEvent {
                event_id: second.to_string(),
                stack_id: stack,
                stack_name: path.into(),
                depth: if path == "." {
                    0
                } else {
                    path.split('/').count() as u32
                },
                timestamp: Timestamp::from_second(second as i64).unwrap(),
                logical_id: logical.into(),
                physical_id: physical,
                resource_type: kind.into(),
                status: fields[3].into(),
                reason: Some(fields[4].to_owned()).filter(|reason| !reason.is_empty()),
            };
            EventKind::StackEvent {
                cell: cell(),
                detail,
            }
        };
        lines
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .enumerate()
            .map(event)
            .collect()
    }

    fn cell() -> CellId {
        CellId {
            test: "t".into(),
            region: "r".into(),
        }
    }

    /// Returns the root cause of a cell with this final `status`, if any, and `outcome`.
    fn cause(mut kinds: Vec<EventKind>, status: Option<&str>, outcome: Outcome) -> Option<String> {
        if let Some(status) = status {
            kinds.push(EventKind::StackSettled {
                cell: cell(),
                status: status.into(),
                reason: None,
                outputs: vec![],
            });
        }
        kinds.push(EventKind::CellFinished {
            cell: cell(),
            outcome,
            reason: Some("the words of the verdict".into()),
        });
        let stamp = |(seq, kind)| RunEvent {
            seq: seq as u64,
            at: Timestamp::from_second(1000).unwrap(),
            kind,
        };
        let events: Vec<RunEvent> = kinds.into_iter().enumerate().map(stamp).collect();
        RunReport::from_events(&events).cells[0]
            .root_cause
            .as_ref()
            .map(ToString::to_string)
    }

    #[test]
    fn the_root_cause_is_the_first_failure_of_its_own() {
        let check = |lines: &str, status: &str, expect: &str| {
            assert_eq!(
                cause(events(lines), Some(status), Outcome::Failed).as_deref(),
                Some(expect)
            );
            // The order in which the stacks were polled must not matter.
            let mut reversed = events(lines);
            reversed.reverse();
            assert_eq!(
                cause(reversed, Some(status), Outcome::Failed).as_deref(),
                Some(expect),
                "reversed"
            );
        };
        // One resource, its siblings cancelled, the stack after them.
        check(
            ". | Queue | AWS::SQS::Queue | CREATE_FAILED | name is taken
             . | Topic | AWS::SNS::Topic | CREATE_FAILED | Resource creation cancelled
             . |       |                 | CREATE_FAILED | The following resource(s) failed to \
             create: [Queue, Topic].",
            "CREATE_FAILED",
            "Queue (AWS::SQS::Queue) CREATE_FAILED: name is taken",
        );
        // At the third level of nesting; every stack around it fails after it.
        check(
            ". | A | Stack | CREATE_IN_PROGRESS |
             A | B | Stack | CREATE_IN_PROGRESS |
             A/B | C | Stack | CREATE_IN_PROGRESS |
             A/B/C | Role | AWS::IAM::Role | CREATE_FAILED | API: iam:CreateRole is not authorized
             A/B/C | | | CREATE_FAILED | The following resource(s) failed to create: [Role].
             A/B | C | Stack | CREATE_FAILED | Embedded stack arn was not successfully created: \
             The following resource(s)
             A/B | | | CREATE_FAILED | The following resource(s) failed to create: [C].
             A | B | Stack | CREATE_FAILED | Embedded stack arn was not successfully created: The \
             following resource(s)
             . | A | Stack | CREATE_FAILED | Embedded stack arn was not successfully created: The \
             following resource(s)",
            "CREATE_FAILED",
            "A/B/C/Role (AWS::IAM::Role) CREATE_FAILED: API: iam:CreateRole is not authorized",
        );
        // Two at once: the first counts.
        check(
            ". | Second | AWS::EC2::VPC | CREATE_IN_PROGRESS |
             . | First  | AWS::EC2::VPC | CREATE_FAILED | the limit is reached
             . | Second | AWS::EC2::VPC | CREATE_FAILED | the limit is reached too",
            "CREATE_FAILED",
            "First (AWS::EC2::VPC) CREATE_FAILED: the limit is reached",
        );
        // Rolled back, and the rollback fails as well.
        check(
            ". | Instance | AWS::EC2::Instance | CREATE_FAILED | no capacity
             . | | | ROLLBACK_IN_PROGRESS | The following resource(s) failed to create: \
             [Instance]. Rollback requested by user.
             . | Bucket | AWS::S3::Bucket | DELETE_FAILED | the bucket is not empty
             . | | | ROLLBACK_FAILED | The following resource(s) failed to delete: [Bucket].",
            "ROLLBACK_FAILED",
            "Instance (AWS::EC2::Instance) CREATE_FAILED: no capacity",
        );
        // Only the rollback is known.
        check(
            ". | Bucket | AWS::S3::Bucket | DELETE_FAILED | the bucket is not empty",
            "ROLLBACK_FAILED",
            "Bucket (AWS::S3::Bucket) DELETE_FAILED: the bucket is not empty",
        );
        // The stack's own timeout, which only cancelled the resource.
        check(
            ". | Slow | AWS::RDS::DBInstance | CREATE_FAILED | Resource creation cancelled
             . | | | CREATE_FAILED | Stack creation time exceeded the specified timeout. The \
             following resource(s)",
            "CREATE_FAILED",
            "stack CREATE_FAILED: Stack creation time exceeded the specified timeout. The \
             following resource(s)",
        );
        // Nothing failed in it: its status could no longer be polled.
        check(
            ". | | | CREATE_IN_PROGRESS | User Initiated",
            "CREATE_IN_PROGRESS",
            "stack CREATE_IN_PROGRESS: the words of the verdict",
        );
        // A nested stack as a whole: its transform fails.
        check(
            ". | App | Stack | CREATE_IN_PROGRESS |
             App | | | ROLLBACK_IN_PROGRESS | Transform AWS::Serverless failed with: bad event
             . | App | Stack | CREATE_FAILED | Embedded stack arn was not successfully created: \
             Transform failed",
            "CREATE_FAILED",
            "stack App ROLLBACK_IN_PROGRESS: Transform AWS::Serverless failed with: bad event",
        );
        // The nested stack's events were never seen, but its parent names the resource.
        check(
            ". | Other | AWS::SNS::Topic | CREATE_FAILED | Resource creation cancelled
             . | App | Stack | CREATE_FAILED | Embedded stack arn was not successfully created: \
             The following resource(s) failed to create: [Fn].",
            "CREATE_FAILED",
            "App (AWS::CloudFormation::Stack) CREATE_FAILED: Embedded stack arn was not \
             successfully created: The \
             following resource(s) failed to create: [Fn].",
        );
        // A nested stack that was never created has its own reason.
        check(
            ". | App | Stack | CREATE_FAILED | Template error: instance of Fn::GetAtt references \
             undefined resource X",
            "CREATE_FAILED",
            "App (AWS::CloudFormation::Stack) CREATE_FAILED: Template error: instance of \
             Fn::GetAtt references undefined resource X",
        );
        // A failure without a reason ranks after one with a reason, and before the cascade.
        check(
            ". | Silent | AWS::SNS::Topic | CREATE_FAILED |
             . | Loud   | AWS::SNS::Topic | CREATE_FAILED | not allowed",
            "CREATE_FAILED",
            "Loud (AWS::SNS::Topic) CREATE_FAILED: not allowed",
        );
        check(
            ". | Silent | AWS::SNS::Topic | CREATE_FAILED |
             . | | | CREATE_FAILED | The following resource(s) failed to create: [Silent].",
            "CREATE_FAILED",
            "Silent (AWS::SNS::Topic) CREATE_FAILED: CloudFormation gave no reason",
        );
        // Only the cascade is known.
        check(
            ". | | | CREATE_FAILED | The following resource(s) failed to create: [X].",
            "CREATE_FAILED",
            "stack CREATE_FAILED: The following resource(s) failed to create: [X].",
        );
        // Only the final status is known.
        check(
            "",
            "CREATE_FAILED",
            "stack CREATE_FAILED: the words of the verdict",
        );
    }

    /// Every recorded form of failure, with the expected line and the notes below.
    #[test]
    fn recorded_failures() {
        for scenario in ["failures", "rollbacks"] {
            let events = crate::report::tests::fixture(scenario);
            let path = crate::report::tests::fixture_path(scenario).with_file_name("expected.txt");
            assert_eq!(
                told(&RunReport::from_events(&events)),
                std::fs::read_to_string(path).unwrap(),
                "{scenario}"
            );
            // In any order of polling the stacks: backwards, unless something else is in between.
            let mut shuffled = events.clone();
            let mut open: HashMap<CellId, Vec<usize>> = HashMap::new();
            for (at, event) in events.iter().enumerate() {
                match &event.kind {
                    EventKind::StackEvent { cell, .. } => {
                        open.entry(cell.clone()).or_default().push(at)
                    }
                    EventKind::StackSettled { cell, .. } | EventKind::CellFinished { cell, .. } => {
                        let places = open.remove(cell).unwrap_or_default();
                        for (to, from) in places.iter().zip(places.iter().rev()) {
                            shuffled[*to].kind = events[*from].kind.clone();
                        }
                    }
                    _ => {}
                }
            }
            let texts = |events: &[RunEvent]| -> Vec<Option<String>> {
                let cells = RunReport::from_events(events).cells;
                cells
                    .iter()
                    .map(|cell| cell.root_cause.as_ref().map(|cause| cause.text.clone()))
                    .collect()
            };
            assert_eq!(
                texts(&shuffled),
                texts(&events),
                "{scenario}, another order"
            );
        }
    }

    /// Formats a cell per paragraph: `test/region state: text`, and its notes indented.
    fn told(report: &RunReport) -> String {
        let mut text = String::new();
        for cell in &report.cells {
            let cause = cell.root_cause.as_ref();
            let said = cause.map_or("no root cause".to_owned(), |it| it.text.replace('\n', " "));
            text += &format!("{} {}: {said}\n", cell.id, cell.state.word());
            for note in cause.map(RootCause::notes).unwrap_or_default() {
                text += &format!("    {note}\n");
            }
        }
        text
    }

    #[test]
    fn stacks_nested_in_themselves_end() {
        let mut looped = events(". | Role | AWS::IAM::Role | CREATE_FAILED | no");
        for kind in &mut looped {
            let EventKind::StackEvent { detail, .. } = kind else {
                unreachable!()
            };
            detail.stack_id = "loop".into();
        }
        let mut holder = events(". | Me | Stack | CREATE_IN_PROGRESS |");
        let EventKind::StackEvent { detail, .. } = &mut holder[0] else {
            unreachable!()
        };
        (detail.stack_id, detail.physical_id) = ("loop".into(), Some("loop".into()));
        detail.resource_type = "AWS::CloudFormation::Stack".into();
        looped.append(&mut holder);
        assert_eq!(
            cause(looped, Some("CREATE_FAILED"), Outcome::Failed).as_deref(),
            Some("Role (AWS::IAM::Role) CREATE_FAILED: no")
        );
    }

    #[test]
    fn failures_without_a_stack() {
        let launch = EventKind::LaunchFailed {
            cell: cell(),
            reason: "Region is not enabled".into(),
            may_exist: false,
        };
        assert_eq!(
            cause(vec![launch], None, Outcome::Failed).as_deref(),
            Some("could not be launched: Region is not enabled")
        );
        let hook = |stage| EventKind::HookFinished {
            cell: cell(),
            hook: Hook {
                stage,
                kind: "script".into(),
            },
            error: Some("exit code 1".into()),
            output: None,
        };
        let check = |kinds, status, expect: &str| {
            assert_eq!(
                cause(kinds, status, Outcome::Failed).as_deref(),
                Some(expect)
            );
        };
        check(
            vec![hook(HookStage::Prehooks)],
            None,
            "prehook script failed: exit code 1",
        );
        // Resources that failed and were created again are no cause if the stack was created.
        let mut retried = events(". | Role | AWS::IAM::Role | CREATE_FAILED | try again");
        retried.push(hook(HookStage::Posthooks));
        check(
            retried,
            Some("CREATE_COMPLETE"),
            "posthook script failed: exit code 1",
        );
        // The stack's failure precedes that of the hook that noticed it.
        let mut both = events(". | Role | AWS::IAM::Role | CREATE_FAILED | denied");
        both.push(hook(HookStage::Posthooks));
        check(
            both,
            Some("CREATE_FAILED"),
            "Role (AWS::IAM::Role) CREATE_FAILED: denied",
        );
    }

    #[test]
    fn cells_that_did_not_fail_have_none() {
        let failed = || events(". | Role | AWS::IAM::Role | CREATE_FAILED | denied");
        assert_eq!(
            cause(failed(), Some("CREATE_COMPLETE"), Outcome::Passed),
            None
        );
        assert_eq!(cause(vec![], None, Outcome::Interrupted), None);
        // One that was failing when the run was stopped has.
        assert_eq!(
            cause(failed(), None, Outcome::Interrupted).as_deref(),
            Some("Role (AWS::IAM::Role) CREATE_FAILED: denied")
        );
    }
}
