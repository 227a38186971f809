//! What Redis answers, read as what it comes from: a network.

use std::collections::VecDeque;

use redis::Value;

use crate::store::StoreError;

/// The parts of an answer, taken one after the other.
pub struct Answer(VecDeque<Value>);

impl Answer {
    /// A list, or one part.
    pub fn new(value: Value) -> Answer {
        match value {
            Value::Array(parts) | Value::Set(parts) => Answer(parts.into()),
            Value::Nil => Answer(VecDeque::new()),
            one => Answer(VecDeque::from([one])),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number, or a text of digits.
    pub fn number(&mut self) -> Result<u64, StoreError> {
        let number = match self.0.pop_front() {
            Some(Value::Int(number)) => u64::try_from(number).ok(),
            Some(Value::BulkString(text)) => std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()),
            Some(Value::SimpleString(text)) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| unexpected("a number"))
    }

    /// Whether a number is not 0.
    pub fn truth(&mut self) -> Result<bool, StoreError> {
        Ok(self.number()? != 0)
    }

    pub fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.0.pop_front() {
            Some(Value::BulkString(bytes)) => Ok(bytes),
            Some(Value::SimpleString(text)) => Ok(text.into_bytes()),
            _ => Err(unexpected("a text")),
        }
    }

    /// The parts of a list within the answer.
    pub fn list(&mut self) -> Result<Answer, StoreError> {
        match self.0.pop_front() {
            Some(list @ (Value::Array(_) | Value::Set(_))) => Ok(Answer::new(list)),
            _ => Err(unexpected("a list")),
        }
    }

    pub fn text(&mut self) -> Result<String, StoreError> {
        String::from_utf8(self.bytes()?).map_err(|_| unexpected("UTF-8"))
    }
}

/// Redis, or who sits in its place, has answered something else than the script says.
pub fn unexpected(wanted: &str) -> StoreError {
    StoreError::Damaged(format!("Redis has answered something else than {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_expected_is_an_error() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let mut answer =
            Answer::new(Value::Array(vec![Value::Int(7), text("8"), text("x"), Value::Int(-1), Value::Nil]));
        assert_eq!((answer.number(), answer.number()), (Ok(7), Ok(8)));
        for _ in 0..4 {
            assert!(answer.number().is_err());
        }
        assert!(answer.is_empty());
        let mut nested = Answer::new(Value::Array(vec![Value::Array(vec![text("in")]), text("out")]));
        assert_eq!(nested.list().unwrap().text().as_deref(), Ok("in"));
        assert!(nested.list().is_err());
        assert!(Answer::new(Value::Boolean(true)).text().is_err());
        assert!(Answer::new(Value::BulkString(vec![0xff])).text().is_err());
        assert_eq!(Answer::new(text("whole")).text().as_deref(), Ok("whole"));
    }
}
