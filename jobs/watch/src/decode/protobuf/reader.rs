//! A message as a serde map, so that it is read into the models of JSON, by their rules.

use std::borrow::Cow;

use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::schema::{FieldForm, MAX_FIELDS, MessageField, WireMessage};
use super::wire::{WireError, WireFields, WireValue, bytes, varint};
use crate::model::lenient::WireTime;

/// Where a field is in its message, bytes.
#[derive(Clone, Copy, Default)]
struct FieldSpan {
    /// The start of the first one.
    first: u32,
    /// The start of the last one.
    last: u32,
    /// The end of the last one; 0 without the field.
    end: u32,
}

/// A message whose fields are known to be whole. The order of its fields is that of the schema: fields may come in any
/// order, and those of a list need not be adjacent.
pub(super) struct MessageMap<'a> {
    bytes: &'a [u8],
    message: &'static WireMessage,
    places: [FieldSpan; MAX_FIELDS],
    /// The next field of the schema.
    next: usize,
    value: Option<FieldValue<'a>>,
}

impl<'a> MessageMap<'a> {
    /// A message whose fields are not found yet. It is large, so it stays where it is and is lent to serde.
    pub(super) fn new(bytes: &'a [u8], message: &'static WireMessage) -> Self {
        MessageMap {
            bytes,
            message,
            places: [FieldSpan::default(); MAX_FIELDS],
            next: 0,
            value: None,
        }
    }

    /// Finds the fields.
    ///
    /// # Errors
    /// The bytes are not a message.
    pub(super) fn find(&mut self) -> Result<&mut Self, WireError> {
        let (bytes, message) = (self.bytes, self.message);
        let mut fields = WireFields(bytes);
        loop {
            let start = bytes.len() - fields.0.len();
            let Some((number, _)) = fields.next()? else { break };
            let Some(index) = message.place(number) else { continue };
            let offset = |at: usize| u32::try_from(at).map_err(|_| WireError::new("a message is longer than 4 GiB"));
            let (start, end) = (offset(start)?, offset(bytes.len() - fields.0.len())?);
            let place = &mut self.places[index];
            *place = FieldSpan {
                first: if place.end == 0 { start } else { place.first },
                last: start,
                end,
            };
        }
        Ok(self)
    }

    /// The value of a field, `None` if JSON would omit it.
    fn value(&self, field: &'static MessageField, place: FieldSpan) -> Result<Option<FieldValue<'a>>, WireError> {
        let occurrences = &self.bytes[place.first as usize..place.end as usize];
        let (last, is_repeated) = ((place.last - place.first) as usize, place.first != place.last);
        let Some((number, value)) = WireFields(&occurrences[last..]).next()? else {
            return Ok(None);
        };
        let is_zero = |value: WireValue<'_>| match value {
            WireValue::Varint(number) => number == 0,
            WireValue::Bytes(bytes) => bytes.is_empty(),
            WireValue::Other => false,
        };
        let content = match field.form {
            FieldForm::Pairs | FieldForm::Many(_) => FieldContent::Occurrences(number, occurrences),
            // A parser may merge both; no server writes two.
            FieldForm::One(_) if is_repeated => {
                return Err(WireError::new(format!("field {} occurs twice", field.name)));
            }
            FieldForm::One(_) => FieldContent::Last(value),
            // The zero time has no fields at all, JSON has null.
            _ if is_zero(value) && !field.keeps_zero => return Ok(None),
            _ => FieldContent::Last(value),
        };
        Ok(Some(FieldValue { field, content }))
    }
}

impl<'de> MapAccess<'de> for MessageMap<'de> {
    type Error = WireError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, WireError> {
        while let Some(field) = self.message.field(self.next) {
            let place = self.places[self.next];
            self.next += 1;
            if place.end == 0 {
                continue;
            }
            self.value = self.value(field, place)?;
            if self.value.is_some() {
                return seed.deserialize(BorrowedStrDeserializer::new(field.name)).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, WireError> {
        match self.value.take() {
            Some(value) => seed.deserialize(value),
            None => Err(WireError::new("a value was read before its key")),
        }
    }
}

enum FieldContent<'a> {
    Last(WireValue<'a>),
    /// The fields of this number in these bytes.
    Occurrences(u32, &'a [u8]),
}

/// The value of a field.
struct FieldValue<'a> {
    field: &'static MessageField,
    content: FieldContent<'a>,
}

impl<'de> Deserializer<'de> for FieldValue<'de> {
    type Error = WireError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        let name = self.field.name;
        match (self.field.form, self.content) {
            (FieldForm::Many(message), FieldContent::Occurrences(number, bytes)) => visitor.visit_seq(MessageItems {
                name,
                message,
                number,
                fields: WireFields(bytes),
            }),
            (FieldForm::Pairs, FieldContent::Occurrences(number, bytes)) => visitor.visit_map(Pairs {
                name,
                number,
                fields: WireFields(bytes),
                value: &[],
            }),
            (FieldForm::Text, FieldContent::Last(value)) => visit_text(bytes(name, value)?, visitor),
            // As in Go: the lower half of the number.
            (FieldForm::Int32, FieldContent::Last(value)) => visitor.visit_i64(i64::from(varint(name, value)? as i32)),
            (FieldForm::Int64, FieldContent::Last(value)) => visitor.visit_i64(varint(name, value)?.cast_signed()),
            (FieldForm::Bool, FieldContent::Last(value)) => visitor.visit_bool(varint(name, value)? != 0),
            (FieldForm::Time, FieldContent::Last(value)) => {
                let (seconds, _) = time(bytes(name, value)?)?;
                visitor.visit_i128(WireTime { seconds, nanos: 0 }.to_packed())
            }
            (FieldForm::MicroTime, FieldContent::Last(value)) => {
                let (seconds, nanos) = time(bytes(name, value)?)?;
                let nanos = nanos - nanos % 1000;
                visitor.visit_i128(WireTime { seconds, nanos }.to_packed())
            }
            (FieldForm::One(message), FieldContent::Last(value)) => {
                visitor.visit_map(MessageMap::new(bytes(name, value)?, message).find()?)
            }
            _ => Err(WireError::new(format!("field {name} is read in another form"))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// Seconds and nanoseconds of a time.
fn time(bytes: &[u8]) -> Result<(i64, i32), WireError> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut fields = WireFields(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => seconds = varint("seconds", value)?.cast_signed(),
            2 => nanos = varint("nanos", value)? as i32,
            _ => {}
        }
    }
    Ok((seconds, nanos))
}

/// A text. A byte that is not UTF-8 damages one character, not the object.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    // Much faster than the lossy way, which is for the rare rest.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn visit_text<'de, V: Visitor<'de>>(bytes: &'de [u8], visitor: V) -> Result<V::Value, WireError> {
    match text(bytes) {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_str(&text),
    }
}

/// The messages of a list.
struct MessageItems<'a> {
    name: &'static str,
    message: &'static WireMessage,
    number: u32,
    fields: WireFields<'a>,
}

/// The next field of this number.
fn next_of<'a>(fields: &mut WireFields<'a>, wanted: u32, name: &str) -> Result<Option<&'a [u8]>, WireError> {
    while let Some((number, value)) = fields.next()? {
        if number == wanted {
            return bytes(name, value).map(Some);
        }
    }
    Ok(None)
}

impl<'de> SeqAccess<'de> for MessageItems<'de> {
    type Error = WireError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, WireError> {
        match next_of(&mut self.fields, self.number, self.name)? {
            Some(item) => seed.deserialize(MessageItem(item, self.message)).map(Some),
            None => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        let mut fields = WireFields(self.fields.0);
        let is_item = |(number, _): &(u32, WireValue<'_>)| *number == self.number;
        // An error is one where the item is read.
        Some(std::iter::from_fn(|| fields.next().ok()?).filter(is_item).count())
    }
}

/// One message of a list.
struct MessageItem<'a>(&'a [u8], &'static WireMessage);

impl<'de> Deserializer<'de> for MessageItem<'de> {
    type Error = WireError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_map(MessageMap::new(self.0, self.1).find()?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// A map of texts. A key that occurs twice is an error where the key is read, as in JSON.
struct Pairs<'a> {
    name: &'static str,
    number: u32,
    fields: WireFields<'a>,
    value: &'a [u8],
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = WireError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, WireError> {
        let Some(entry) = next_of(&mut self.fields, self.number, self.name)? else {
            return Ok(None);
        };
        let mut key: &[u8] = &[];
        self.value = &[];
        let mut fields = WireFields(entry);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => key = bytes(self.name, value)?,
                2 => self.value = bytes(self.name, value)?,
                _ => {}
            }
        }
        match text(key) {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
            key => seed.deserialize(CowStrDeserializer::new(key)),
        }
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, WireError> {
        seed.deserialize(Text(self.value))
    }
}

/// A value of a map of texts.
struct Text<'a>(&'a [u8]);

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = WireError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visit_text(self.0, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}
