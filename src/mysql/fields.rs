//! The fields of a payload, read without trusting it, and written.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_data_types.html>

use bytes::{BufMut, BytesMut};

/// The payload ends before the field does, or the field cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// What of a payload has not been read yet.
#[derive(Clone, Copy)]
pub(super) struct Fields<'p> {
    rest: &'p [u8],
}

impl<'p> Fields<'p> {
    pub(super) fn new(payload: &'p [u8]) -> Fields<'p> {
        Fields { rest: payload }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&mut self) -> &'p [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'p [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Text that a NUL ends, or the end of the payload.
    pub(super) fn until_nul(&mut self) -> &'p [u8] {
        let rest = self.rest();
        match rest.iter().position(|byte| *byte == 0) {
            Some(nul) => {
                self.rest = &rest[nul + 1..];
                &rest[..nul]
            }
            None => rest,
        }
    }

    /// A length-encoded integer.
    pub(super) fn length(&mut self) -> Result<u64, Malformed> {
        match self.u8()? {
            small @ 0..=0xFA => Ok(u64::from(small)),
            0xFC => Ok(u64::from(self.u16()?)),
            0xFD => {
                let [a, b, c] = self.array()?;
                Ok(u64::from(u32::from_le_bytes([a, b, c, 0])))
            }
            0xFE => Ok(u64::from_le_bytes(self.array()?)),
            _ => Err(Malformed),
        }
    }

    /// Bytes behind their length-encoded length.
    pub(super) fn counted(&mut self) -> Result<&'p [u8], Malformed> {
        let count = usize::try_from(self.length()?).map_err(|_| Malformed)?;
        self.bytes(count)
    }
}

/// Writes a length-encoded integer.
pub(super) fn put_length(out: &mut BytesMut, length: u64) {
    match length {
        0..=0xFA => out.put_u8(length as u8),
        0xFB..=0xFFFF => {
            out.put_u8(0xFC);
            out.put_u16_le(length as u16);
        }
        0x1_0000..=0xFF_FFFF => {
            out.put_u8(0xFD);
            out.put_uint_le(length, 3);
        }
        _ => {
            out.put_u8(0xFE);
            out.put_u64_le(length);
        }
    }
}

/// Writes bytes behind their length-encoded length.
pub(super) fn put_counted(out: &mut BytesMut, bytes: &[u8]) {
    put_length(out, bytes.len() as u64);
    out.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_back_as_they_went() {
        for length in [0, 1, 250, 251, 255, 65_535, 65_536, 16_777_215, 16_777_216, u64::MAX] {
            let mut out = BytesMut::new();
            put_length(&mut out, length);
            let mut fields = Fields::new(&out);
            assert_eq!(fields.length(), Ok(length));
            assert!(fields.is_empty());
            for short in 0..out.len() {
                assert_eq!(Fields::new(&out[..short]).length(), Err(Malformed), "{length} cut at {short}");
            }
        }
        for never in [0xFB, 0xFF] {
            assert_eq!(Fields::new(&[never, 0, 0, 0, 0, 0, 0, 0, 0]).length(), Err(Malformed));
        }
    }

    #[test]
    fn a_length_beyond_the_payload_is_malformed() {
        assert_eq!(Fields::new(&[3, b'a', b'b']).counted(), Err(Malformed));
        assert_eq!(Fields::new(&[0xFE, 255, 255, 255, 255, 255, 255, 255, 255, 1]).counted(), Err(Malformed));
        assert_eq!(Fields::new(&[2, b'a', b'b']).counted(), Ok(&b"ab"[..]));
    }

    #[test]
    fn a_text_ends_at_its_nul_or_with_the_payload() {
        let mut fields = Fields::new(b"root\0db");
        assert_eq!(fields.until_nul(), b"root");
        assert_eq!(fields.until_nul(), b"db");
        assert_eq!(fields.until_nul(), b"");
    }
}
