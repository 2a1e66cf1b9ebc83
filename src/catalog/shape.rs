//! The shape of a property, as far as it can be told without knowing what a value is for: JSON
//! types, and the names that an object allows.
//!
//! Read from the notation of the embedded table, which `schemas/README.md` describes.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What a value may be. CloudFormation is lenient about scalars: it takes `"1"` for a number and 1
/// for text.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Anything at all.
    Anything,
    /// A value of one of these types; what is inside a list or an object is not said.
    Json(Vec<JsonType>),
    /// The shape of this name among the type's definitions.
    Definition(&'static str),
    List(Box<Shape>),
    Object(ObjectShape),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    String,
    Integer,
    Number,
    Boolean,
    Object,
    Array,
}

/// An object: named properties, and whether it may have others.
///
/// Where a schema gives alternatives, this is all of them together: every property that one of them
/// has, and required only what all of them require. It allows too much rather than too little.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectShape {
    pub properties: BTreeMap<&'static str, PropertyShape>,
    /// The shape of properties under any other name; none if there may be no others.
    pub others: Option<Box<Shape>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PropertyShape {
    pub shape: Shape,
    pub required: bool,
}

impl ObjectShape {
    /// The shape of the property, under a name of its own or one that is free; none if there may be
    /// no such property.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.properties
            .get(name)
            .map(|property| &property.shape)
            .or(self.others.as_deref())
    }

    /// The names of the properties that must be there, sorted.
    pub fn required(&self) -> impl Iterator<Item = &'static str> {
        self.properties
            .iter()
            .filter(|(_, property)| property.required)
            .map(|(name, _)| *name)
    }
}

/// The name under which the notation keeps the shape of free names, and its word for anything.
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
