//! JavaScript values as `control` reads them.

use napi::bindgen_prelude::*;
use napi::{JsValue, KeyCollectionMode, KeyConversion, KeyFilter, ValueType};

use crate::control::{BYTES, FLOATS, Value};

/// Nested deeper than any option is.
const MAX_DEPTH: usize = 4;

/// More than any option or map of samples has; what is beyond is not looked at.
const MAX_ITEMS: u32 = 4096;

/// Copies a value; what options cannot hold becomes its type's name.
pub fn read(value: Unknown) -> Result<Value> {
    copy(value, 0)
}

fn copy(value: Unknown, depth: usize) -> Result<Value> {
    Ok(match value.get_type()? {
        ValueType::Undefined => Value::Undefined,
        ValueType::Null => Value::Null,
        ValueType::Boolean => Value::Bool(cast(value)?),
        ValueType::Number => Value::Number(cast(value)?),
        ValueType::String => Value::String(cast(value)?),
        ValueType::Object if depth >= MAX_DEPTH => Value::Other("deeply nested object"),
        ValueType::Object => {
            let object: Object = cast(value)?;
            if object.is_array()? {
                let length = object.get_array_length()?;
                let items =
                    (0..length.min(MAX_ITEMS)).map(|i| copy(object.get_element::<Unknown>(i)?, depth + 1));
                Value::Array(items.collect::<Result<_>>()?)
            } else if object.is_typedarray()? {
                let typed: TypedArray = cast(value)?;
                Value::Other(match typed.typed_array_type {
                    TypedArrayType::Float32 => FLOATS,
                    TypedArrayType::Uint8 => BYTES,
                    _ => "typed array",
                })
            } else if object.is_buffer()? || object.is_arraybuffer()? {
                Value::Other("buffer")
            } else {
                // Own names only: what somebody put on Object.prototype is no option.
                let names = own_names(&object)?;
                let fields = names.into_iter().map(|name| {
                    let field = object.get_named_property_unchecked::<Unknown>(&name)?;
                    Ok((name, copy(field, depth + 1)?))
                });
                Value::Object(fields.collect::<Result<_>>()?)
            }
        }
        ValueType::Function => Value::Other("function"),
        ValueType::Symbol => Value::Other("symbol"),
        ValueType::BigInt => Value::Other("bigint"),
        _ => Value::Other("value of another kind"),
    })
}

fn own_names(object: &Object) -> Result<Vec<String>> {
    let names = object.get_all_property_names(
        KeyCollectionMode::OwnOnly,
        KeyFilter::Enumerable,
        KeyConversion::NumbersToStrings,
    )?;
    let count = names.get_array_length()?.min(MAX_ITEMS);
    // Symbols name no option, and cannot be spelt in a message.
    let name = |i| {
        names.get_element::<Unknown>(i).map(|name| match name.get_type() {
            Ok(ValueType::String) => cast::<String>(name).ok(),
            _ => None,
        })
    };
    (0..count).filter_map(|i| name(i).transpose()).collect()
}

fn cast<T: FromNapiValue>(value: Unknown) -> Result<T> {
    // SAFETY: the caller has looked at the value's type, and a mismatch is an error, not undefined behaviour.
    unsafe { T::from_napi_value(value.value().env, value.raw()) }
}
