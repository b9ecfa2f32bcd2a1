//! The filter in four lanes of NEON, which every 64-bit ARM has.

/// Four lanes.
pub mod quad {
    mod four {
        use std::arch::aarch64::*;

        pub type Vector = float32x4_t;
        pub const WIDTH: usize = 4;

        macro_rules! neon {
            ($($(#[$attribute:meta])* fn $name:ident($($arg:tt: $type:ty),*) $(-> $out:ty)? $body:block)*) => {
                $($(#[$attribute])* #[target_feature(enable = "neon")] #[inline] pub fn $name($($arg: $type),*) $(-> $out)? $body)*
            };
        }

        neon! {
            fn splat(a: f32) -> Vector { vdupq_n_f32(a) }
            fn load(from: &[f32; 4]) -> Vector {
                // SAFETY: an array of four is four values.
                unsafe { vld1q_f32(from.as_ptr()) }
            }
            fn store(to: &mut [f32; 4], a: Vector) {
                // SAFETY: an array of four has room for four.
                unsafe { vst1q_f32(to.as_mut_ptr(), a) }
            }
            fn add(a: Vector, b: Vector) -> Vector { vaddq_f32(a, b) }
            fn sub(a: Vector, b: Vector) -> Vector { vsubq_f32(a, b) }
            fn mul(a: Vector, b: Vector) -> Vector { vmulq_f32(a, b) }
            fn div(a: Vector, b: Vector) -> Vector { vdivq_f32(a, b) }
            /// a·b + c, rounded once.
            fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector { vfmaq_f32(c, a, b) }
            /// All bits in one lane, none in the others.
            fn mask(lane: usize) -> uint32x4_t {
                let lanes = [0u32, 1, 2, 3];
                // SAFETY: an array of four is four values.
                let lanes = unsafe { vld1q_u32(lanes.as_ptr()) };
                vceqq_u32(lanes, vdupq_n_u32(lane as u32))
            }
            fn select(mask: uint32x4_t, new: Vector, old: Vector) -> Vector { vbslq_f32(mask, new, old) }
            fn transposed([a, b, c, d]: [Vector; 4]) -> [Vector; 4] {
                // a0 c0 a1 c1, …: two zips make a square of four.
                let (ac, bd) = (vzip1q_f32(a, c), vzip1q_f32(b, d));
                let (ac2, bd2) = (vzip2q_f32(a, c), vzip2q_f32(b, d));
                [vzip1q_f32(ac, bd), vzip2q_f32(ac, bd), vzip1q_f32(ac2, bd2), vzip2q_f32(ac2, bd2)]
            }
        }
    }

    use four as v;
    super::super::kernel::kernel!("neon", 1 2 4);
}
