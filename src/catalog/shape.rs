//! The shape of a property: its JSON types and the names that an object allows.
//!
//! Parsed from the notation of the embedded table, which `schemas/README.md` describes.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The values that a property accepts. CloudFormation is lenient about scalars: it accepts `"1"` as
/// a number and 1 as a string.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Any value.
    Anything,
    /// A value of one of these types; the contents of a list or an object aren't described.
    Json(Vec<JsonType>),
    /// The shape with this name in the type's definitions.
    Definition(&'static str),
    /// A list of items of this shape.
    List(Box<Shape>),
    /// An object.
    Object(ObjectShape),
}

/// A type of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    /// A string.
    String,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An object.
    Object,
    /// A list.
    Array,
}

/// The properties of an object, and whether it may have others.
///
/// If a schema gives alternatives, this combines them: it has every property of any of them and
/// requires only what all of them require. So it accepts too much rather than too little.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectShape {
    /// The named properties.
    pub properties: BTreeMap<&'static str, PropertyShape>,
    /// The shape of properties with other names; `None` if others aren't allowed.
    pub others: Option<Box<Shape>>,
}

/// A property of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyShape {
    /// The shape of its value.
    pub shape: Shape,
    /// Whether the object must have it.
    pub required: bool,
}

impl ObjectShape {
    /// Returns the shape of the named property or, if the object allows other names, of those;
    /// `None` if there can't be such a property.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.properties
            .get(name)
            .map(|property| &property.shape)
            .or(self.others.as_deref())
    }

    /// Returns the names of the required properties, sorted.
    pub fn required(&self) -> impl Iterator<Item = &'static str> {
        self.properties
            .iter()
            .filter(|(_, property)| property.required)
            .map(|(name, _)| *name)
    }
}

/// The key for properties with other names, and the notation's word for any value.
const ANY: &str = "*";

impl<'de: 'static> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

impl<'de: 'static> Deserialize<'de> for ObjectShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Shape::deserialize(deserializer)? {
            Shape::Object(object) => Ok(object),
            _ => Err(D::Error::custom("not an object")),
        }
    }
}

struct ShapeVisitor;

impl<'de: 'static> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a shape")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Shape, E> {
        if text == ANY {
            return Ok(Shape::Anything);
        }
        if let Some(name) = text.strip_prefix('#') {
            return Ok(Shape::Definition(name));
        }
        let types = text.chars().map(json_type).collect::<Option<_>>();
        types
            .map(Shape::Json)
            .ok_or_else(|| E::custom("not a JSON type"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let item = list
            .next_element()?
            .ok_or_else(|| A::Error::custom("a list without the shape of its items"))?;
        Ok(Shape::List(Box::new(item)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut object = ObjectShape::default();
        while let Some((key, shape)) = map.next_entry::<&'static str, Shape>()? {
            if key == ANY {
                object.others = Some(Box::new(shape));
            } else {
                let name = key.strip_suffix('!');
                object.properties.insert(
                    name.unwrap_or(key),
                    PropertyShape {
                        shape,
                        required: name.is_some(),
                    },
                );
            }
        }
        Ok(Shape::Object(object))
    }
}

fn json_type(letter: char) -> Option<JsonType> {
    Some(match letter {
        's' => JsonType::String,
        'i' => JsonType::Integer,
        'n' => JsonType::Number,
        'b' => JsonType::Boolean,
        'o' => JsonType::Object,
        'a' => JsonType::Array,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_is_read() {
        let check = |text: &'static str, expect: Result<Shape, &str>| {
            let found = serde_json::from_str::<Shape>(text).map_err(|error| error.to_string());
            assert_eq!(found, expect.map_err(str::to_owned), "{text}");
        };
        let text = || Shape::Json(vec![JsonType::String]);
        check(r#""s""#, Ok(text()));
        check(
            r#""so""#,
            Ok(Shape::Json(vec![JsonType::String, JsonType::Object])),
        );
        check(r##""#Tag""##, Ok(Shape::Definition("Tag")));
        check(r#""*""#, Ok(Shape::Anything));
        check(r#"["s"]"#, Ok(Shape::List(Box::new(text()))));
        check(
            r#"{"*":"s"}"#,
            Ok(Shape::Object(ObjectShape {
                others: Some(Box::new(text())),
                ..ObjectShape::default()
            })),
        );
        let properties = [("Key", true), ("Value", false)]
            .map(|(name, required)| {
                (
                    name,
                    PropertyShape {
                        shape: text(),
                        required,
                    },
                )
            })
            .into_iter()
            .collect();
        check(
            r#"{"Key!":"s","Value":"s"}"#,
            Ok(Shape::Object(ObjectShape {
                properties,
                others: None,
            })),
        );
        check(r#""x""#, Err("not a JSON type at line 1 column 3"));
        check(
            "[]",
            Err("a list without the shape of its items at line 1 column 2"),
        );
        check(
            "1",
            Err("invalid type: integer `1`, expected a shape at line 1 column 1"),
        );
    }
}
