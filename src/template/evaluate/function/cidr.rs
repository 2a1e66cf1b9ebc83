//! `Fn::Cidr`: splits a block of IPv4 or IPv6 addresses into equal blocks
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html>).
//!
//! CloudFormation's messages for wrong arguments aren't published; these are ours.

use std::str::FromStr;

use ipnet::IpNet;

use super::texts;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::value::{Evaluated, UnknownForm, Value, together};
use crate::yaml::Node;

/// Evaluates `[block, count, cidrBits]`, where `cidrBits` is the number of host bits.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let fail = |message: String| evaluator.fail(argument.at, message);
    let malformed = || {
        let message = "Template error: every Fn::Cidr object requires three parameters, the block, \
            the number of blocks \
                       and the number of bits";
        fail(message.to_owned())
    };
    let Some(arguments @ [_, _, _]) = argument.as_sequence() else {
        return Err(malformed());
    };
    let values = together(arguments.iter().map(|node| evaluator.value(node, scope)))?;
    match texts(&values).ok_or_else(malformed)?.as_deref() {
        Err(unknown) => Ok(unknown.clone().with_form(UnknownForm::Any).into()),
        Ok([block, count, bits]) => {
            let blocks = blocks(block, count, bits).map_err(fail)?;
            let blocks: Vec<Value> = blocks
                .iter()
                .map(|block| Value::String(block.to_string()))
                .collect();
            evaluator.spend(blocks.len() * size_of::<Value>(), argument.at)?;
            Ok(Value::List(blocks))
        }
        Ok(_) => Err(malformed()),
    }
}

/// Returns the blocks, or the message about wrong arguments.
pub(super) fn blocks(text: &str, count: &str, bits: &str) -> Result<Vec<IpNet>, String> {
    let block: IpNet = text
        .parse()
        .map_err(|_| format!("Template error: Fn::Cidr cannot read the block {text}"))?;
    let count = number(count).filter(|count| (1..=MAX_COUNT).contains(count));
    let count = count.ok_or_else(|| {
        format!("Template error: the count of Fn::Cidr must be between 1 and {MAX_COUNT}")
    })?;
    let width = block.max_prefix_len();
    let bits = number::<u8>(bits).filter(|bits| *bits <= width);
    let bits = bits.ok_or_else(|| {
        format!("Template error: the bits of Fn::Cidr must be between 0 and {width}")
    })?;
    let subnets = block.trunc().subnets(width - bits);
    let blocks: Vec<IpNet> = subnets.into_iter().flatten().take(count).collect();
    if blocks.len() < count {
        return Err(format!(
            "Template error: Fn::Cidr cannot make {count} blocks with {bits} bits in {text}"
        ));
    }
    Ok(blocks)
}

/// The documented maximum.
const MAX_COUNT: usize = 256;

/// Parses a number that consists only of digits.
fn number<N: FromStr>(text: &str) -> Option<N> {
    text.parse()
        .ok()
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
