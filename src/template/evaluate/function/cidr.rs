//! `Fn::Cidr`: splits a block of IPv4 or IPv6 addresses into equal blocks
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html>).
//!
//! CloudFormation's messages for wrong arguments aren't published; these are ours.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::texts;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::value::{Evaluated, Value, together};
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
        Err(unknown) => Ok(unknown.clone().into()),
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
fn blocks(text: &str, count: &str, bits: &str) -> Result<Vec<CidrBlock>, String> {
    let block = CidrBlock::parse(text)
        .ok_or_else(|| format!("Template error: Fn::Cidr cannot read the block {text}"))?;
    let count = number(count).filter(|count| (1..=MAX_COUNT).contains(count));
    let count = count.ok_or_else(|| {
        format!("Template error: the count of Fn::Cidr must be between 1 and {MAX_COUNT}")
    })?;
    let bits = number(bits).filter(|bits| *bits <= block.width);
    let bits = bits.ok_or_else(|| {
        format!(
            "Template error: the bits of Fn::Cidr must be between 0 and {}",
            block.width
        )
    })?;
    let blocks = block.split(count, bits);
    blocks.ok_or_else(|| {
        format!("Template error: Fn::Cidr cannot make {count} blocks with {bits} bits in {text}")
    })
}

/// The documented maximum.
const MAX_COUNT: u32 = 256;

/// Parses a number that consists only of digits.
fn number<N: FromStr>(text: &str) -> Option<N> {
    text.parse()
        .ok()
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CidrBlock {
    /// The first address as a number.
    pub first: u128,
    /// Number of network bits.
    pub mask: u32,
    /// Number of bits of an address: 32 or 128.
    pub width: u32,
}

impl CidrBlock {
    /// Parses `10.0.0.0/16`; bits beyond the mask are dropped.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, mask) = text.split_once('/')?;
        let (address, width) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let mask = number(mask).filter(|mask| *mask <= width)?;
        let host = width - mask;
        let first = if host == 128 {
            0
        } else {
            address >> host << host
        };
        Some(Self { first, mask, width })
    }

    /// Returns the first `count` blocks with `bits` host bits, or `None` if they don't fit.
    pub(super) fn split(self, count: u32, bits: u32) -> Option<Vec<Self>> {
        let mask = self
            .width
            .checked_sub(bits)
            .filter(|mask| *mask >= self.mask)?;
        let room = mask - self.mask;
        if room < 32 && u64::from(count) > 1 << room {
            return None;
        }
        let step = |index: u32| {
            if bits == 128 {
                0
            } else {
                u128::from(index) << bits
            }
        };
        Some(
            (0..count)
                .map(|index| Self {
                    first: self.first + step(index),
                    mask,
                    width: self.width,
                })
                .collect(),
        )
    }
}

impl fmt::Display for CidrBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.width == 32 {
            // An IPv4 address has 32 bits.
            let address = Ipv4Addr::from_bits(u32::try_from(self.first).unwrap_or_default());
            write!(f, "{address}/{}", self.mask)
        } else {
            write!(f, "{}/{}", Ipv6Addr::from_bits(self.first), self.mask)
        }
    }
}
