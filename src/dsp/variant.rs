//! The instructions that kernels are made of, chosen once at run time on the control thread: nothing published is built
//! for more than the baseline.

/// The instructions a kernel is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Plain Rust, the reference.
    Scalar,
    /// Four lanes: SSE2 or NEON, which every processor of its kind has.
    Quad,
    /// Eight lanes, AVX2 and FMA.
    Avx2,
}

impl Variant {
    /// All, slowest first.
    pub const ALL: [Self; 3] = [Self::Scalar, Self::Quad, Self::Avx2];

    /// The fastest that this machine has.
    ///
    /// Thread: control.
    pub fn best() -> Self {
        Self::ALL.into_iter().rfind(|variant| variant.is_available()).unwrap_or(Self::Scalar)
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Quad => cfg!(any(target_arch = "x86_64", target_arch = "aarch64")),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => false,
        }
    }
}
