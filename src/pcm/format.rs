//! Sample formats: interleaved bytes as the values that they mean.
//!
//! Integers of n bits are divided by 2ⁿ⁻¹ after unsigned ones have been moved down by that much, so that full scale is
//! −1 ..= 1 − 2¹⁻ⁿ and silence is 0. Up to 24 bits this is exact in f32; 32-bit integers and 64-bit floats are rounded to
//! the nearest f32. Floats are taken as they are: what is beyond ±1, or not finite, is dealt with further on.
//!
//! Thread: control. Pure functions of slices.

/// How one value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Two's complement, or −128 ..= 127.
    S8,
    /// 0 ..= 255, silence is 128.
    U8,
    /// 16 bits, two's complement.
    S16,
    /// 16 bits, silence is 2¹⁵.
    U16,
    /// 24 bits in three bytes, two's complement.
    S24,
    /// 24 bits in three bytes, silence is 2²³.
    U24,
    /// 32 bits, two's complement.
    S32,
    /// 32 bits, silence is 2³¹.
    U32,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

/// Order of the bytes of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endian {
    /// The least significant first.
    Little,
    /// The most significant first.
    Big,
}

impl Endian {
    /// This machine's own.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::S8,
        Self::U8,
        Self::S16,
        Self::U16,
        Self::S24,
        Self::U24,
        Self::S32,
        Self::U32,
        Self::F32,
        Self::F64,
    ];

    /// Bytes of one value.
    pub const fn bytes(self) -> usize {
        match self {
            Self::S8 | Self::U8 => 1,
            Self::S16 | Self::U16 => 2,
            Self::S24 | Self::U24 => 3,
            Self::S32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Calls `put` with each value of `bytes`, in order. Bytes that are no whole value at the end are left out.
pub fn decode(encoding: Encoding, endian: Endian, bytes: &[u8], put: impl FnMut(f32)) {
    match endian {
        Endian::Little => decode_as::<false>(encoding, bytes, put),
        Endian::Big => decode_as::<true>(encoding, bytes, put),
    }
}

fn decode_as<const BIG: bool>(encoding: Encoding, bytes: &[u8], put: impl FnMut(f32)) {
    const SIGN_16: u16 = 1 << 15;
    const SIGN_32: u32 = 1 << 31;
    // An unsigned value differs from the signed one of the same meaning in its highest bit only.
    let wide = |[a, b, c]: [u8; 3]| {
        if BIG { u32::from_be_bytes([a, b, c, 0]) } else { u32::from_le_bytes([0, a, b, c]) }
    };
    let s8 = |[a]: [u8; 1]| f32::from(a as i8) / 128.0;
    let u8 = |[a]: [u8; 1]| f32::from((a ^ 0x80) as i8) / 128.0;
    let word = |b: [u8; 2]| if BIG { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
    let s16 = |b| f32::from(word(b) as i16) / 32_768.0;
    let u16 = |b| f32::from((word(b) ^ SIGN_16) as i16) / 32_768.0;
    // 24 bits in the upper three bytes: 2³¹ is full scale, and the conversion to f32 is exact.
    let s24 = |b| wide(b) as i32 as f32 / 2_147_483_648.0;
    let u24 = |b| (wide(b) ^ SIGN_32) as i32 as f32 / 2_147_483_648.0;
    let double = |b: [u8; 4]| if BIG { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) };
    let s32 = |b| double(b) as i32 as f32 / 2_147_483_648.0;
    let u32 = |b| (double(b) ^ SIGN_32) as i32 as f32 / 2_147_483_648.0;
    let f32 = |b| f32::from_bits(double(b));
    let f64 = |b: [u8; 8]| if BIG { f64::from_be_bytes(b) } else { f64::from_le_bytes(b) } as f32;
    match encoding {
        Encoding::S8 => each(bytes, s8, put),
        Encoding::U8 => each(bytes, u8, put),
        Encoding::S16 => each(bytes, s16, put),
        Encoding::U16 => each(bytes, u16, put),
        Encoding::S24 => each(bytes, s24, put),
        Encoding::U24 => each(bytes, u24, put),
        Encoding::S32 => each(bytes, s32, put),
        Encoding::U32 => each(bytes, u32, put),
        Encoding::F32 => each(bytes, f32, put),
        Encoding::F64 => each(bytes, f64, put),
    }
}

/// One value after another, each of `N` bytes.
#[inline(always)]
fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32, mut put: impl FnMut(f32)) {
    for word in bytes.as_chunks::<N>().0 {
        put(value(*word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(encoding: Encoding, endian: Endian, bytes: &[u8]) -> Vec<f32> {
        let mut out = Vec::new();
        decode(encoding, endian, bytes, |value| out.push(value));
        out
    }

    /// Lowest, silence, one step up, highest, as the integer that is written, and what they mean.
    fn landmarks(bits: u32, signed: bool) -> Vec<(u64, f64)> {
        let half = 1u64 << (bits - 1);
        let mask = if bits == 64 { u64::MAX } else { (1u64 << bits) - 1 };
        [-(half as i64), 0, 1, -1, half as i64 - 1]
            .into_iter()
            .map(|n| {
                let written = if signed { n as u64 & mask } else { (n + half as i64) as u64 };
                (written, n as f64 / half as f64)
            })
            .collect()
    }

    fn bytes_of(value: u64, bytes: usize, endian: Endian) -> Vec<u8> {
        let mut all = value.to_le_bytes()[..bytes].to_vec();
        if endian == Endian::Big {
            all.reverse();
        }
        all
    }

    #[test]
    fn integers_are_divided_by_full_scale_exactly() {
        use Encoding::{S8, S16, S24, S32, U8, U16, U24, U32};
        let formats = [(S8, 8, true), (U8, 8, false), (S16, 16, true), (U16, 16, false)];
        let wide = [(S24, 24, true), (U24, 24, false), (S32, 32, true), (U32, 32, false)];
        for (encoding, bits, signed) in formats.into_iter().chain(wide) {
            for endian in [Endian::Little, Endian::Big] {
                let (written, meant): (Vec<_>, Vec<_>) = landmarks(bits, signed).into_iter().unzip();
                let bytes: Vec<u8> =
                    written.iter().flat_map(|value| bytes_of(*value, encoding.bytes(), endian)).collect();
                // Exact up to 24 bits; at 32 the nearest f32, which is what `as` gives.
                let meant: Vec<f32> = meant.into_iter().map(|value| value as f32).collect();
                assert_eq!(values(encoding, endian, &bytes), meant, "{encoding:?} {endian:?}");
            }
        }
    }

    #[test]
    fn every_value_of_8_and_16_bits_is_its_own_and_keeps_its_order() {
        for (encoding, signed) in [(Encoding::S16, true), (Encoding::U16, false)] {
            let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
            for (n, value) in values(encoding, Endian::Little, &bytes).into_iter().enumerate() {
                let meant = if signed { f64::from(n as u16 as i16) } else { n as f64 - 32_768.0 };
                assert_eq!(f64::from(value), meant / 32_768.0);
            }
        }
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        for (n, value) in values(Encoding::U8, Endian::Big, &bytes).into_iter().enumerate() {
            assert_eq!(f64::from(value), (n as f64 - 128.0) / 128.0);
        }
    }

    #[test]
    fn floats_keep_their_bits() {
        for value in [0.0f32, -0.0, 1.0, -1.5, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY] {
            for (endian, bytes) in [(Endian::Little, value.to_le_bytes()), (Endian::Big, value.to_be_bytes())]
            {
                assert_eq!(values(Encoding::F32, endian, &bytes)[0].to_bits(), value.to_bits());
            }
            let wide = f64::from(value);
            for (endian, bytes) in [(Endian::Little, wide.to_le_bytes()), (Endian::Big, wide.to_be_bytes())] {
                assert_eq!(values(Encoding::F64, endian, &bytes)[0].to_bits(), value.to_bits());
            }
        }
        assert!(values(Encoding::F32, Endian::NATIVE, &f32::NAN.to_ne_bytes())[0].is_nan());
        let third = 1.0f64 / 3.0;
        assert_eq!(values(Encoding::F64, Endian::Little, &third.to_le_bytes()), [third as f32]);
    }

    #[test]
    fn a_broken_value_at_the_end_is_left_out() {
        for encoding in Encoding::ALL {
            let bytes = vec![0x55; 3 * encoding.bytes() + encoding.bytes() - 1];
            assert_eq!(values(encoding, Endian::Little, &bytes).len(), 3, "{encoding:?}");
        }
    }
}
