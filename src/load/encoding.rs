//! How one value is written in a file of uncompressed sound, and what it is as `f32`.
//!
//! Integers become `f32` by an exact power of two, so an n-bit file holds −1 ≤ v < 1 and up to 24 bits survive
//! unrounded; longer ones are rounded once, to nearest. Floats are taken as they are, 64 bits rounded once. A-law and
//! µ-law give the 13 and 14 bits of ITU-T G.711 (1988), tables 1a and 2a.

/// What the bytes of a value mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Half of the range is silence.
    Unsigned,
    Signed,
    Float,
    MuLaw,
    ALaw,
}

/// How one value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) kind: Kind,
    /// Bytes per value, 1..=8.
    pub(super) bytes: u16,
    /// Bits that count: the low ones of the bytes. Fewer significant bits than bytes hold are left-justified by all
    /// writers but those of 24 bits in 4 bytes (`arecord -f S24_LE`).
    pub(super) bits: u16,
    pub(super) big_endian: bool,
}

impl Encoding {
    /// Little-endian, all bits of its bytes.
    pub(super) const fn little(kind: Kind, bytes: u16) -> Self {
        Self { kind, bytes, bits: bytes * 8, big_endian: false }
    }

    /// Big-endian, all bits of its bytes.
    pub(super) const fn big(kind: Kind, bytes: u16) -> Self {
        Self { big_endian: true, ..Self::little(kind, bytes) }
    }

    /// Whether hound decodes it.
    pub(super) fn is_hounds(self) -> bool {
        !self.big_endian
            && match self.kind {
                Kind::Unsigned => self.bytes == 1,
                Kind::Signed => (2..=4).contains(&self.bytes),
                Kind::Float => self.bytes == 4,
                Kind::MuLaw | Kind::ALaw => false,
            }
    }

    /// The value of its bytes, of which there are [`Self::bytes`].
    pub(super) fn value(self, bytes: &[u8]) -> f32 {
        let mut little = [0; 8];
        for (place, byte) in little.iter_mut().zip(bytes) {
            *place = *byte;
        }
        if self.big_endian {
            little
                .iter_mut()
                .take(bytes.len())
                .zip(bytes.iter().rev())
                .for_each(|(place, byte)| *place = *byte);
        }
        let word = u64::from_le_bytes(little);
        match (self.kind, self.bytes) {
            (Kind::Float, 8) => f64::from_bits(word) as f32,
            (Kind::Float, _) => f32::from_bits(word as u32),
            (Kind::MuLaw, _) => mu_law(word as u8),
            (Kind::ALaw, _) => a_law(word as u8),
            (Kind::Signed | Kind::Unsigned, _) => {
                let unused = 64 - u32::from(self.bits.clamp(1, 64));
                // At the top of 64 bits the sign is where i64 has it; the one rounding is that of the cast.
                let flip = if self.kind == Kind::Unsigned { i64::MIN } else { 0 };
                ((word << unused) as i64 ^ flip) as f32 * TO_UNIT
            }
        }
    }
}

/// From 64 bits with a sign to −1 ≤ v < 1.
const TO_UNIT: f32 = 1.0 / (1u64 << 63) as f32;

/// G.711, table 2a: 14 bits, of which the last is always 0.
fn mu_law(code: u8) -> f32 {
    let code = !code;
    let (exponent, mantissa) = (u32::from(code >> 4 & 7), i32::from(code & 15));
    let size = ((2 * mantissa + 33) << exponent) - 33;
    let value = if code & 0x80 == 0 { size } else { -size };
    value as f32 / 8192.0
}

/// G.711, table 1a: 13 bits.
fn a_law(code: u8) -> f32 {
    let code = code ^ 0x55;
    let (exponent, mantissa) = (u32::from(code >> 4 & 7), i32::from(code & 15));
    let size = if exponent == 0 { 2 * mantissa + 1 } else { (2 * mantissa + 33) << (exponent - 1) };
    let value = if code & 0x80 == 0 { -size } else { size };
    value as f32 / 4096.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_width_and_order_reach_the_corners_exactly() {
        for bytes in 1..=8u16 {
            let top = 0.5f64.powi(i32::from(bytes) * 8 - 1);
            for big_endian in [false, true] {
                let at = |kind, word: i64| {
                    let mut all = word.to_le_bytes()[..usize::from(bytes)].to_vec();
                    if big_endian {
                        all.reverse();
                    }
                    Encoding { big_endian, ..Encoding::little(kind, bytes) }.value(&all)
                };
                let half = 1i64 << (8 * bytes - 2);
                let lowest = half.wrapping_mul(-2);
                assert_eq!(at(Kind::Signed, 0), 0.0);
                assert_eq!(at(Kind::Signed, 1), top as f32);
                assert_eq!(at(Kind::Signed, -1), -top as f32);
                assert_eq!(at(Kind::Signed, half), 0.5);
                assert_eq!(at(Kind::Signed, lowest), -1.0);
                assert_eq!(at(Kind::Signed, lowest.wrapping_sub(1)), (1.0 - top) as f32);
                assert_eq!(at(Kind::Unsigned, 0), -1.0);
                assert_eq!(at(Kind::Unsigned, lowest), 0.0);
                assert_eq!(at(Kind::Unsigned, lowest.wrapping_add(half)), 0.5);
            }
        }
        let in_four = Encoding { bits: 24, ..Encoding::little(Kind::Signed, 4) };
        assert_eq!(in_four.value(&[0, 0, 0x80, 0xFF]), -1.0);
        assert_eq!(in_four.value(&[0, 0, 0x40, 0]), 0.5);
    }

    #[test]
    fn floats_are_taken_as_they_are() {
        for value in [0.1f64, -3.5, 1e-30] {
            assert_eq!(Encoding::little(Kind::Float, 8).value(&value.to_le_bytes()), value as f32);
            assert_eq!(Encoding::big(Kind::Float, 8).value(&value.to_be_bytes()), value as f32);
            assert_eq!(Encoding::big(Kind::Float, 4).value(&(value as f32).to_be_bytes()), value as f32);
        }
        assert!(Encoding::big(Kind::Float, 8).value(&f64::NAN.to_be_bytes()).is_nan());
    }

    #[test]
    fn companded_values_are_those_of_the_tables() {
        // G.711 table 2a: decoder output values 8031, 4191, 99 … 2, 0, here with the spare bit: ×1 of 8192.
        for (code, value) in
            [(0x80, 8031), (0x8F, 4191), (0xFF, 0), (0x7F, 0), (0x00, -8031), (0xFE, 2), (0xEF, 33)]
        {
            assert_eq!(mu_law(code), value as f32 / 8192.0, "{code:#x}");
        }
        // G.711 table 1a, even bits inverted: 4032, 2112, 66, 1.
        for (code, value) in [(0xAA, 4032), (0xA5, 2112), (0xF5, 66), (0xD5, 1), (0x55, -1), (0x2A, -4032)] {
            assert_eq!(a_law(code), value as f32 / 4096.0, "{code:#x}");
        }
        for code in 0..=255u8 {
            assert_eq!(mu_law(code), -mu_law(code ^ 0x80));
            assert_eq!(a_law(code), -a_law(code ^ 0x80));
        }
    }
}
