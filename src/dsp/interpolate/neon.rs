//! Four lanes of NEON, for `quad`.

use std::arch::aarch64::*;

pub type Quad = float32x4_t;
pub type Phases = uint32x4_t;

macro_rules! neon {
    ($($(#[$attribute:meta])* fn $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? $body:block)*) => {
        $($(#[$attribute])* #[target_feature(enable = "neon")] #[inline] pub fn $name($($arg: $type),*) $(-> $out)? $body)*
    };
}

neon! {
    fn splat(a: f32) -> Quad { vdupq_n_f32(a) }
    fn add(a: Quad, b: Quad) -> Quad { vaddq_f32(a, b) }
    fn sub(a: Quad, b: Quad) -> Quad { vsubq_f32(a, b) }
    fn mul(a: Quad, b: Quad) -> Quad { vmulq_f32(a, b) }
    /// a·b + c, rounded once.
    fn mul_add(a: Quad, b: Quad, c: Quad) -> Quad { vfmaq_f32(c, a, b) }
    /// a0 b0 a1 b1
    fn zip_low(a: Quad, b: Quad) -> Quad { vzip1q_f32(a, b) }
    /// a2 b2 a3 b3
    fn zip_high(a: Quad, b: Quad) -> Quad { vzip2q_f32(a, b) }
    /// a0 a1 b0 b1
    fn lows(a: Quad, b: Quad) -> Quad { vcombine_f32(vget_low_f32(a), vget_low_f32(b)) }
    /// a2 a3 b2 b3
    fn highs(a: Quad, b: Quad) -> Quad { vcombine_f32(vget_high_f32(a), vget_high_f32(b)) }
    /// a0 a2 b0 b2
    fn evens(a: Quad, b: Quad) -> Quad { vuzp1q_f32(a, b) }
    /// a1 a3 b1 b3
    fn odds(a: Quad, b: Quad) -> Quad { vuzp2q_f32(a, b) }
    /// first, first + step, …, modulo 2³²
    fn phases(first: u32, step: u32) -> Phases {
        let lanes = [0u32, 1, 2, 3];
        // SAFETY: an array of four is four values.
        let lanes = unsafe { vld1q_u32(lanes.as_ptr()) };
        vmlaq_u32(vdupq_n_u32(first), lanes, vdupq_n_u32(step))
    }
    fn advance(a: Phases, by: u32) -> Phases { vaddq_u32(a, vdupq_n_u32(by)) }
    /// Their upper 24 bits as 0..1, exactly.
    fn fractions(a: Phases) -> Quad {
        vmulq_f32(vcvtq_f32_u32(vshrq_n_u32::<8>(a)), vdupq_n_f32(1.0 / 16_777_216.0))
    }
    fn store(to: &mut [f32; 4], a: Quad) {
        // SAFETY: an array of four has room for four.
        unsafe { vst1q_f32(to.as_mut_ptr(), a) }
    }
}

/// Four values.
///
/// # Safety
/// `from` points to four values.
#[target_feature(enable = "neon")]
#[inline]
pub unsafe fn load(from: *const f32) -> Quad {
    // SAFETY: the caller says so.
    unsafe { vld1q_f32(from) }
}

/// Two values, and zeros.
///
/// # Safety
/// `from` points to two values.
#[target_feature(enable = "neon")]
#[inline]
pub unsafe fn load2(from: *const f32) -> Quad {
    // SAFETY: the caller says so.
    unsafe { vcombine_f32(vld1_f32(from), vdup_n_f32(0.0)) }
}
