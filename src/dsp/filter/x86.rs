//! The filter in four lanes of SSE2 and in eight of AVX2 with FMA.
//!
//! What asked for it: `cargo bench --bench filter` on a Zen 4 guest, sixteen lanes, ns a lane and frame, standing still
//! and moving: plain Rust 1.7 and 2.2, SSE2 0.58 and 1.8, AVX2 0.39 and 0.87; the same filter one voice at a time 4.5.
//! The intrinsics are safe where their instructions are enabled; only the callers of `run` have to say why they are.
//! AVX-512 is left out: the recurrence is what takes the time, and two vectors of eight hide as much of it as one of 16.

/// Four lanes, which every x86-64 has.
pub mod quad {
    mod four {
        use std::arch::x86_64::*;

        pub type Vector = __m128;
        pub const WIDTH: usize = 4;

        macro_rules! sse2 {
            ($($(#[$attribute:meta])* fn $name:ident($($arg:tt: $type:ty),*) $(-> $out:ty)? $body:block)*) => {
                $($(#[$attribute])* #[target_feature(enable = "sse2")] #[inline] pub fn $name($($arg: $type),*) $(-> $out)? $body)*
            };
        }

        sse2! {
            fn splat(a: f32) -> Vector { _mm_set1_ps(a) }
            fn load(from: &[f32; 4]) -> Vector {
                // SAFETY: an array of four is four values.
                unsafe { _mm_loadu_ps(from.as_ptr()) }
            }
            fn store(to: &mut [f32; 4], a: Vector) {
                // SAFETY: an array of four has room for four.
                unsafe { _mm_storeu_ps(to.as_mut_ptr(), a) }
            }
            fn add(a: Vector, b: Vector) -> Vector { _mm_add_ps(a, b) }
            fn sub(a: Vector, b: Vector) -> Vector { _mm_sub_ps(a, b) }
            fn mul(a: Vector, b: Vector) -> Vector { _mm_mul_ps(a, b) }
            fn div(a: Vector, b: Vector) -> Vector { _mm_div_ps(a, b) }
            /// a·b + c, rounded twice: SSE2 has no FMA.
            fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector { _mm_add_ps(_mm_mul_ps(a, b), c) }
            /// All bits in one lane, none in the others.
            fn mask(lane: usize) -> Vector {
                _mm_castsi128_ps(_mm_cmpeq_epi32(_mm_setr_epi32(0, 1, 2, 3), _mm_set1_epi32(lane as i32)))
            }
            fn select(mask: Vector, new: Vector, old: Vector) -> Vector {
                _mm_or_ps(_mm_and_ps(mask, new), _mm_andnot_ps(mask, old))
            }
            fn transposed([a, b, c, d]: [Vector; 4]) -> [Vector; 4] {
                let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
                let (ab2, cd2) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
                [
                    _mm_movelh_ps(ab, cd),
                    _mm_movehl_ps(cd, ab),
                    _mm_movelh_ps(ab2, cd2),
                    _mm_movehl_ps(cd2, ab2),
                ]
            }
        }
    }

    use four as v;
    super::super::kernel::kernel!("sse2", 1 2 4);
}

/// Eight lanes. Two vectors side by side hide half of the recurrence's latency.
pub mod avx2 {
    mod eight {
        use std::arch::x86_64::*;

        pub type Vector = __m256;
        pub const WIDTH: usize = 8;

        macro_rules! avx2 {
            ($($(#[$attribute:meta])* fn $name:ident($($arg:tt: $type:ty),*) $(-> $out:ty)? $body:block)*) => {
                $($(#[$attribute])* #[target_feature(enable = "avx2,fma")] #[inline] pub fn $name($($arg: $type),*) $(-> $out)? $body)*
            };
        }

        avx2! {
            fn splat(a: f32) -> Vector { _mm256_set1_ps(a) }
            fn load(from: &[f32; 8]) -> Vector {
                // SAFETY: an array of eight is eight values.
                unsafe { _mm256_loadu_ps(from.as_ptr()) }
            }
            fn store(to: &mut [f32; 8], a: Vector) {
                // SAFETY: an array of eight has room for eight.
                unsafe { _mm256_storeu_ps(to.as_mut_ptr(), a) }
            }
            fn add(a: Vector, b: Vector) -> Vector { _mm256_add_ps(a, b) }
            fn sub(a: Vector, b: Vector) -> Vector { _mm256_sub_ps(a, b) }
            fn mul(a: Vector, b: Vector) -> Vector { _mm256_mul_ps(a, b) }
            fn div(a: Vector, b: Vector) -> Vector { _mm256_div_ps(a, b) }
            /// a·b + c, rounded once.
            fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector { _mm256_fmadd_ps(a, b, c) }
            /// All bits in one lane, none in the others.
            fn mask(lane: usize) -> Vector {
                let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                _mm256_castsi256_ps(_mm256_cmpeq_epi32(lanes, _mm256_set1_epi32(lane as i32)))
            }
            fn select(mask: Vector, new: Vector, old: Vector) -> Vector { _mm256_blendv_ps(old, new, mask) }
            fn transposed([a, b, c, d, e, f, g, h]: [Vector; 8]) -> [Vector; 8] {
                // Fours within each half, then the halves are exchanged.
                let (ab, cd, ef, gh) = (lows(a, b), lows(c, d), lows(e, f), lows(g, h));
                let (ab2, cd2, ef2, gh2) = (highs(a, b), highs(c, d), highs(e, f), highs(g, h));
                let (t0, t1, t2, t3) = (first(ab, cd), second(ab, cd), first(ab2, cd2), second(ab2, cd2));
                let (u0, u1, u2, u3) = (first(ef, gh), second(ef, gh), first(ef2, gh2), second(ef2, gh2));
                [
                    _mm256_permute2f128_ps::<0x20>(t0, u0),
                    _mm256_permute2f128_ps::<0x20>(t1, u1),
                    _mm256_permute2f128_ps::<0x20>(t2, u2),
                    _mm256_permute2f128_ps::<0x20>(t3, u3),
                    _mm256_permute2f128_ps::<0x31>(t0, u0),
                    _mm256_permute2f128_ps::<0x31>(t1, u1),
                    _mm256_permute2f128_ps::<0x31>(t2, u2),
                    _mm256_permute2f128_ps::<0x31>(t3, u3),
                ]
            }
            fn lows(a: Vector, b: Vector) -> Vector { _mm256_unpacklo_ps(a, b) }
            fn highs(a: Vector, b: Vector) -> Vector { _mm256_unpackhi_ps(a, b) }
            fn first(a: Vector, b: Vector) -> Vector { _mm256_shuffle_ps::<0b01_00_01_00>(a, b) }
            fn second(a: Vector, b: Vector) -> Vector { _mm256_shuffle_ps::<0b11_10_11_10>(a, b) }
        }
    }

    use eight as v;
    super::super::kernel::kernel!("avx2,fma", 1 2);
}
