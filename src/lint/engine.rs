//! The lint engine in this process: AWS's `cloudformation-validate`, with CloudFormation's provider
//! schemas and cfn-lint's rules.
//!
//! Constructing it takes longer than checking a hundred templates, so that it is constructed once,
//! in the background of what else a command does.

use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Once, OnceLock};
use std::thread;

use cloudformation_validate::data_source::embedded;
use cloudformation_validate::diagnostics::PhaseMetric;
use cloudformation_validate::rules::{self as registry, RuleInfo, RuleMetadataEntry};
use cloudformation_validate::validation_engine::GuardRuleSet;
use cloudformation_validate::{
    CelEngine, DetailLevel, Diagnostic, EngineConfig, ExternalRuleSource, ParseConfig,
    PseudoParameterOverrides, SchemaValidator, SemanticModel, Severity, ValidateConfig,
    ValidationEngine, ValidationError, validate_bytes_with_path,
};

use super::document::LintDocument;
use super::{GuardRuleFile, LintSubject};
use crate::diagnostic;

/// Stack size of a thread that runs the engine, in bytes; templates may nest deeply.
pub(super) const STACK: usize = 32 << 20;

/// The rule of a text that the engine can't read: larger or deeper than its limits.
pub(super) const UNREADABLE: &str = "F1101";

static SCHEMAS: OnceLock<Result<SchemaValidator, String>> = OnceLock::new();
static RULES: OnceLock<Result<CelEngine, String>> = OnceLock::new();
static NO_RULES: LazyLock<NoRules> = LazyLock::new(|| NoRules {
    metadata: HashMap::new(),
    metric: PhaseMetric { duration_ms: 0.0 },
});

/// The schemas, with or without the built-in rules.
pub(super) struct LintEngine {
    schemas: &'static SchemaValidator,
    rules: &'static (dyn ValidationEngine + Sync),
}

/// Starts to construct the engine in the background.
pub(crate) fn prepare() {
    prepare_schemas();
    in_background(|| _ = rules());
}

/// Starts to construct in the background what [`LintEngine::of_schemas`] needs.
pub(crate) fn prepare_schemas() {
    in_background(|| _ = schemas());
}

/// Without a thread, the first use does the work.
fn in_background(work: fn()) {
    let _ = thread::Builder::new()
        .name("lint engine".to_owned())
        .spawn(work);
}

fn schemas() -> Result<&'static SchemaValidator, String> {
    let schemas = SCHEMAS.get_or_init(|| guarded(|| Ok(SchemaValidator::default())));
    schemas.as_ref().map_err(Clone::clone)
}

fn rules() -> Result<&'static CelEngine, String> {
    let construct = || CelEngine::new(EngineConfig::default()).map_err(|error| error.to_string());
    let rules = RULES.get_or_init(|| guarded(construct));
    rules.as_ref().map_err(Clone::clone)
}

impl LintEngine {
    /// Returns the engine with schemas and rules, after their construction.
    ///
    /// # Errors
    /// They can't be constructed.
    pub(super) fn whole() -> Result<Self, String> {
        prepare_schemas();
        let rules = rules()?;
        // The schemas take longer; these parts of them can be unpacked meanwhile.
        LazyLock::force(&embedded::REGION_RESOURCE_TYPES_BYTES);
        LazyLock::force(&embedded::REGION_ENUMS_BYTES);
        Ok(Self {
            rules,
            schemas: schemas()?,
        })
    }

    /// Returns the engine with schemas alone, which is several times as fast.
    ///
    /// # Errors
    /// They can't be constructed.
    pub(super) fn of_schemas() -> Result<Self, String> {
        Ok(Self {
            rules: &*NO_RULES,
            schemas: schemas()?,
        })
    }

    /// Checks a template with the values of a test in a region.
    ///
    /// # Errors
    /// The engine failed, which says nothing about the template.
    pub(super) fn check(
        &self,
        document: &LintDocument,
        subject: &LintSubject,
    ) -> Result<Vec<Diagnostic>, String> {
        let config = ValidateConfig {
            detail_level: DetailLevel::Standard,
            severity_level: Severity::Info,
            parameter_overrides: subject.parameters.iter().cloned().collect(),
            pseudo_parameter_overrides: pseudo_parameters(subject),
            ..ValidateConfig::default()
        };
        let text = document.text.as_bytes();
        guarded(|| {
            validate_bytes_with_path(self.rules, self.schemas, text, config, String::new())
                .map(|report| report.diagnostics)
                .map_err(|error| error.to_string())
        })
    }
}

/// An engine whose templates are checked against the schemas alone.
struct NoRules {
    metadata: HashMap<String, RuleMetadataEntry>,
    metric: PhaseMetric,
}

impl ValidationEngine for NoRules {
    fn engine_name(&self) -> &str {
        "none"
    }

    fn evaluate_rules(
        &self,
        _: &Arc<SemanticModel>,
        _: &ValidateConfig,
    ) -> Result<Vec<Diagnostic>, ValidationError> {
        Ok(Vec::new())
    }

    fn list_rules(&self) -> Vec<RuleInfo> {
        Vec::new()
    }

    fn rule_metadata(&self) -> &HashMap<String, RuleMetadataEntry> {
        &self.metadata
    }

    fn external_rule_metadata(&self) -> HashMap<String, RuleMetadataEntry> {
        HashMap::new()
    }

    fn init_metric(&self) -> &PhaseMetric {
        &self.metric
    }
}

fn pseudo_parameters(subject: &LintSubject) -> PseudoParameterOverrides {
    PseudoParameterOverrides {
        region: subject.region.clone(),
        stack_name: subject.stack_name.clone(),
        ..PseudoParameterOverrides::default()
    }
}

/// Returns what a rule checks, if it is one of the engine's own.
pub(super) fn description(rule: &str) -> Option<&'static str> {
    registry::lookup_rule(rule).map(|rule| rule.description)
}

/// Returns the IDs of the engine's own rules.
pub(super) fn rule_ids() -> impl Iterator<Item = &'static str> {
    registry::RULE_REGISTRY.iter().map(|rule| rule.id)
}

/// Rules in the language of CloudFormation Guard, ready to be evaluated.
#[derive(Default)]
pub(super) struct LintGuardRules(Option<GuardRuleSet>);

impl LintGuardRules {
    /// Compiles rule files.
    ///
    /// # Errors
    /// The first file that isn't valid, with the place.
    pub(super) fn compile(files: &[GuardRuleFile]) -> Result<Self, Box<diagnostic::Diagnostic>> {
        let source = |file: &GuardRuleFile| ExternalRuleSource {
            name: file.name.clone(),
            content: file.text.clone(),
        };
        let sources: Vec<_> = files.iter().map(source).collect();
        guarded(|| GuardRuleSet::compile(&sources))
            .map(Self)
            .map_err(|reason| {
                let is_bad = |file: &&GuardRuleFile| {
                    guarded(|| GuardRuleSet::compile(&[source(file)])).is_err()
                };
                let bad = files.iter().find(is_bad);
                Box::new(match bad {
                    Some(file) => file.invalid(&reason),
                    None => diagnostic::Diagnostic::error(format!("invalid Guard rules: {reason}")),
                })
            })
    }

    /// Returns the names of the rules.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let rules = self.0.iter().flat_map(|it| it.rule_metadata().keys());
        rules.map(String::as_str)
    }

    /// Evaluates all rules on a template as written.
    pub(super) fn check(&self, document: &LintDocument) -> Result<Vec<Diagnostic>, String> {
        let Some(rules) = &self.0 else {
            return Ok(Vec::new());
        };
        guarded(|| {
            let model = SemanticModel::parse(document.text.as_bytes(), ParseConfig::default());
            let model = model.map_err(|error| error.to_string())?.model;
            rules.evaluate(&model).map_err(|error| error.to_string())
        })
    }

    /// Returns what a rule checks, if it is one of these.
    pub(super) fn description(&self, rule: &str) -> Option<String> {
        let rule = self.0.as_ref()?.rule_metadata().get(rule)?;
        Some(rule.description.clone())
    }
}

const PANICKED: &str = "the engine panicked";

thread_local! {
    /// Whether the engine is at work in this thread.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the engine is at work in this thread.
pub(super) fn is_at_work() -> bool {
    AT_WORK.get()
}

/// Turns a panic of the engine into an error, without a message of its own on standard error.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !AT_WORK.get() {
                others(info);
            }
        }));
    });
    AT_WORK.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    AT_WORK.set(false);
    done.unwrap_or_else(|_| Err(PANICKED.to_owned()))
}
