//! Tells the linker how a Node addon is built. The silent core needs nothing.

fn main() {
    #[cfg(feature = "node")]
    napi_build::setup();
}
